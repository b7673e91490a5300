"""Single keys changed from outside of the files: ``--set jobs.pretrain.gpus=2048``."""

import datetime
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dcsim.hazards.presets import make_room as make_room_in_hazard
from dcsim.problems import not_one_of, wrong
from dcsim.recovery import STRATEGIES, AnyRecovery
from dcsim.recovery.keys import taken_over
from dcsim.recovery.presets import presets
from dcsim.scenario.errors import KeyPath, Problem, ScenarioError, dotted, entry_names
from dcsim.scenario.layers import MOST_NESTED
from dcsim.wording import did_you_mean, shown

_PART = r"""(?:\s*"(?:[^"\\]|\\.)*"\s*|\s*'[^']*'\s*|[^."'=]+)"""
_KEY = re.compile(rf"{_PART}(?:\.{_PART})*")


@dataclass(frozen=True)
class Override:
    """``label``: how the user wrote it; ``key``: its parts; ``value``: as TOML would give it."""

    label: str
    key: tuple[str, ...]
    value: Any


def read_overrides(texts: Iterable[str], keywords: Mapping[str, Any]) -> list[Override]:
    """Read ``key=value`` texts, then keyword arguments, which come last and win.

    A preset comes before the other keys that are given to its table. A text's value is what TOML makes of it, else the
    text itself, so that quantities need no quotes. Raises ScenarioError.
    """
    read, problems = [], []
    for text in texts:
        match = _KEY.match(text)
        parts = key_parts(match[0]) if match and text.startswith("=", match.end()) else None
        if match and parts:
            read.append(Override(_short(f"--set {text}"), parts, as_value(text[match.end() + 1 :])))
        else:
            why = wrong(text, "must be key=value, such as jobs.pretrain.gpus=2048")
            problems.append(Problem("--set", None, "", why))
    for key, value in keywords.items():
        if parts := key_parts(key):
            read.append(Override(_short(f"override {key}"), parts, deepcopy(value)))
        else:
            problems.append(Problem("override", None, "", wrong(key, "must be a dotted key")))
    if problems:
        raise ScenarioError(problems)
    return _presets_first(read)


def _presets_first(changes: list[Override]) -> list[Override]:
    ordered: list[Override] = []
    for each in changes:
        beside = [n for n, one in enumerate(ordered) if one.key[: len(each.key) - 1] == each.key[:-1]]
        ordered.insert(beside[0] if beside and names_preset(each.key) else len(ordered), each)
    return ordered


def names_preset(key: Sequence[object]) -> bool:
    """Whether a key gives a hazard, or the recovery of a job, a preset."""
    table = (*key[:1], *key[2:-1])
    return len(key) > 2 and key[-1] == "preset" and table in (("hazards",), ("jobs", "recovery"))


def key_parts(key: str) -> tuple[str, ...] | None:
    """Return the parts of a dotted key, quotes taken off; None if it is no key."""
    parts = [part.strip() for part in re.findall(_PART, key)]
    if not _KEY.fullmatch(key) or not key.isprintable() or not all(parts) or len(parts) > MOST_NESTED:
        return None
    try:
        return tuple(tomllib.loads(f"key = {part}")["key"] if part[0] in "\"'" else part for part in parts)
    except ValueError:
        return None


def apply(override: Override, data: dict[str, Any]) -> KeyPath:
    """Change ``data`` in place; return the path of the value, or of the topmost table that had to be made for it.

    Entries of a list go by name or by index. A preset goes before what its table has so far. Raises ScenarioError where
    the key leads nowhere.
    """
    here: Any = data
    path: KeyPath = ()
    made: KeyPath | None = None
    for number, part in enumerate(override.key, 1):
        step: str | int = part
        if isinstance(here, list):
            step = _entry(override, part, here, dotted(path, data))
        elif not isinstance(here, dict):
            why = f"found {shown(here)}, which has no keys of its own; set it as a whole"
            raise ScenarioError([Problem(override.label, None, dotted(path, data), why)])
        path = (*path, step)
        if number == len(override.key):
            if names_preset(path):
                _make_room(here, path, override.value)
            here[step] = override.value
        elif isinstance(here, dict) and step not in here:
            made = made or path
            here[step] = {}
        here = here[step]
    return made or path


def _make_room(table: dict[str, Any], path: KeyPath, preset: object) -> None:
    """Take out of a table, in place, what a preset gives, and what another kind of recovery does not take over."""
    if path[0] == "hazards":
        make_room_in_hazard(table, preset)
        return
    new = presets().get(preset) if isinstance(preset, str) else None
    if new is None:
        return
    try:
        old = TypeAdapter(AnyRecovery).validate_python(table)
    except ValidationError:  # its mistakes are told when the scenario is read
        return
    kept = taken_over(old, STRATEGIES[new.kind], new.keys)
    table.clear()
    table.update(kept)


def _entry(override: Override, part: str, entries: list[Any], where: str) -> int:
    names = entry_names(entries)
    if part in names:
        return names.index(part)
    if part.isdecimal() and len(part) < 10 and int(part) < len(entries):
        return int(part)
    known = [name for name in names if name is not None]
    indices = {0: "nothing: the list is empty", 1: "0"}.get(len(entries), f"0 to {len(entries) - 1}")
    why = not_one_of(known[:20], part, also=[indices], hint=did_you_mean(part, known))
    raise ScenarioError([Problem(override.label, None, where, why)])


def as_value(text: str) -> Any:
    """Return what TOML makes of a value, else the text itself, so that quantities need no quotes."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # No key takes a date, but 07:00:00 may be meant as text. A line break would smuggle in more keys.
    dated = isinstance(read["value"], datetime.date | datetime.time)
    return text if dated or len(read) > 1 else read["value"]


def _short(label: str) -> str:
    return label if len(label) <= 80 else label[:77] + "..."
