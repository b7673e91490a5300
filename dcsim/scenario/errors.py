"""What is wrong with a scenario: every problem with its file, its line and its dotted path."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""


@dataclass(frozen=True)
class Problem:
    """One mistake. ``file``: where it stands, or the override that made it; ``path``: as ``--set`` takes it."""

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        where = self.file or "''" if self.line is None else f"{self.file}:{self.line}"
        line = ": ".join(filter(None, (where, self.path, self.message)))
        return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)


class ScenarioError(Exception):
    """Everything that is wrong with a scenario; rebuilt from ``args`` in another process."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def entry_names(entries: Sequence[Any]) -> list[str | None]:
    """Return what each entry of a list of tables is called: its name, else its component; None if not unique."""
    names = []
    for entry in entries:
        name = (entry.get("name") or entry.get("component")) if isinstance(entry, dict) else None
        names.append(name if isinstance(name, str) and not name.isdecimal() else None)
    often = Counter(names)
    return [name if often[name] == 1 else None for name in names]


def dotted(path: KeyPath, data: Any = None) -> str:
    """Write a path as ``--set`` takes it: ``jobs.pretrain.gpus``.

    List entries of ``data`` go by their names where they have one, else by index; odd keys stand in quotes.
    """
    parts = []
    for part in path:
        shown: str | int = part
        if isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            shown = entry_names(data)[part] or part
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, dict) else None
        parts.append(_part(str(shown)))
    return ".".join(parts)


def _part(text: str) -> str:
    if re.fullmatch(r"[\w-]{1,60}", text):
        return text
    quoted = json.dumps(text[:61])
    return quoted if len(text) <= 60 else quoted[:-1] + '..."'
