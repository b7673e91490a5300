"""Scenarios: the frozen value, how it is read from files, and what an engine reads from it.

Called as a function, ``dcsim.scenario(source, **changes)`` makes a scenario of a path, a shipped name or a dict.
"""

import sys
from types import ModuleType
from typing import Any

from dcsim.scenario.errors import Problem, ScenarioError
from dcsim.scenario.files import Source, load, read, sha256, to_toml, with_shares
from dcsim.scenario.model import Cluster, Job, Scenario
from dcsim.scenario.plan import Gang, Plan
from dcsim.scenario.sampled import certain
from dcsim.scenario.schema import json_schema
from dcsim.scenario.uncertain import PER_SAMPLE, Uncertain
from dcsim.scenario.unused import unused_keys
from dcsim.scenario.upkeep import Maintenance

__all__ = [
    "PER_SAMPLE",
    "Cluster",
    "Gang",
    "Job",
    "Maintenance",
    "Plan",
    "Problem",
    "Scenario",
    "ScenarioError",
    "Source",
    "Uncertain",
    "certain",
    "json_schema",
    "load",
    "read",
    "sha256",
    "to_toml",
    "unused_keys",
    "with_shares",
]


class _Callable(ModuleType):
    """This room, which is also the function that makes what it is about."""

    def __call__(self, source: Source, /, *, set: Any = (), **overrides: Any) -> Scenario:
        """Return a scenario made of a path, a shipped name, a dict or a scenario; see ``dcsim.scenario.read``."""
        return read(source, set=set, **overrides)


sys.modules[__name__].__class__ = _Callable
