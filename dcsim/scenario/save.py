"""A scenario as text again: the resolved file of a run, and the fingerprint that names it."""

import hashlib
import json
from typing import Any

from dcsim.scenario.model import Scenario


def to_toml(scenario: Scenario) -> str:
    """Return a scenario file that stands alone, with every default and the topology written out.

    ``load`` gives an equal scenario for it.
    """
    import tomli_w

    return tomli_w.dumps(_plain(scenario))


def sha256(scenario: Scenario) -> str:
    """Return the hex digest of the resolved scenario: the same for every file that means the same value."""
    text = json.dumps(_plain(scenario), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(scenario: Scenario) -> dict[str, Any]:
    return scenario.model_dump(mode="json", exclude_none=True)
