"""The question in the folder of a sweep, table, race or sensitivity: kept beside its runs, answered again from them.

Nothing is simulated again: a run that is not there is an error.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcsim import __version__
from dcsim.decide.energisation import energisation_table
from dcsim.decide.optimize import optimize
from dcsim.decide.sensitivity import sensitivity
from dcsim.decide.sweep import sweep
from dcsim.decide.sweep_files import QUESTION
from dcsim.decide.tables import table
from dcsim.files import StoreError, kind_of, read_whole, write_whole
from dcsim.problems import not_one_of
from dcsim.scenario import Scenario, ScenarioError, read, with_shares

SCHEMA = 1
MOST_BYTES = 1 << 26
"""Of a question; source: assumed, as of a scenario."""
ANSWERS: Mapping[str, Callable[..., Any]] = {
    "energisation": energisation_table,
    "optimize": optimize,
    "sensitivity": sensitivity,
    "sweep": sweep,
    "table": table,
}
"""What answers a question of each verb: scenarios first (of a table its kind before), then ``asked`` as keywords."""


@dataclass(frozen=True)
class Question:
    """What was asked: of which scenarios, with which keywords of ``dcsim.sweep`` and so on.

    ``first``: what stands before the scenarios. ``command``: as it is noted with the runs; ``again``: what makes the
    folder again. ``notes``: what the report says of the scenarios.
    """

    verb: str
    scenarios: tuple[Scenario, ...]
    asked: Mapping[str, Any]
    command: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    def keep(self, folder: Path) -> None:
        """Write it into the folder that it was answered in; raises StoreError."""
        content = {"program": "dcsim", "schema": SCHEMA, "dcsim": __version__, **vars(self)}
        content["scenarios"] = [with_shares(each) for each in self.scenarios]
        write_whole(folder / QUESTION, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "Question | None":
        """Return the question of a folder; None where there is none. Raises StoreError."""
        path = folder / QUESTION
        if kind_of(path) is None:
            return None
        try:
            found = json.loads(read_whole(path, MOST_BYTES))
            version = found.pop("program"), found.pop("schema"), found.pop("dcsim")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(path, "is damaged or cannot be read; run the command again with --resume") from error
        if version != ("dcsim", SCHEMA, __version__):
            raise StoreError(path, f"is of dcsim {version[2]}, not {__version__}; run the command again")
        try:
            scenarios = tuple(read(each) for each in found.pop("scenarios"))
            lists: dict[str, Any] = {name: tuple(found.pop(name)) for name in ("command", "again", "notes", "first")}
            made = cls(scenarios=scenarios, **lists, **found)
        except (ScenarioError, TypeError, ValueError, KeyError) as error:
            raise StoreError(path, "is damaged; run the command again with --resume") from error
        if made.verb not in ANSWERS:
            raise StoreError(path, not_one_of(ANSWERS, made.verb))
        return made

    def answer(self, folder: Path, **more: Any) -> Any:
        """Return the answer from the runs in the folder; ``more``: further keywords. Raises StoreError."""
        of = self.scenarios[0] if self.verb in ("energisation", "sensitivity", "table") else list(self.scenarios)
        how = {**self.asked, **more, "output": folder.resolve().parent, "resume": "only", "command": self.command}
        try:
            found = ANSWERS[self.verb](*self.first, of, **how)
        except ScenarioError as error:
            raise StoreError(folder / QUESTION, f"is of another version: {error.problems[0]}") from error
        return found


def folder_of(answer: Any) -> Path | None:
    """Return the folder that an answer of any verb was kept in."""
    found: Path | None = answer.sweep.folder if hasattr(answer, "sweep") else answer.folder
    return found
