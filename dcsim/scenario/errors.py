"""What is wrong with a scenario: every problem with its file, line and dotted path, in plain words."""

import datetime
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dcsim.problems import is_misspelt, located, not_one_of, unknown_key, wrong
from dcsim.recovery.presets import presets
from dcsim.registry import kind_of, tag
from dcsim.scenario.model import Scenario
from dcsim.wording import offered, shown, visible

KeyPath = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""
MOST_PROBLEMS = 100
"""Mistakes that are named one by one; source: assumed, more than anyone reads."""

_MUST = {
    "int_type": "be a whole number",
    "invalid_key": "be text",
    "float_type": "be a number",
    "string_type": "be text",
    "bool_type": "be true or false",
    "model_type": "be a table",
    "greater_than": "be above {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be below {lt}",
    "less_than_equal": "be at most {le}",
    "string_too_long": "have at most {max_length} characters",
    "string_too_short": "not be empty",
    "string_unicode": "be valid text",
    "too_long": "have at most {max_length} entries",
    "too_short": "not be empty",
    "tuple_type": "be a list",
}
_OF_HAZARDS = {"component", "mtbf"}
"""Keys by which the table of a hazard is known: it may also name a preset, which is no field of its model."""
Found = tuple[KeyPath, str]
"""Where, and what is wrong there."""


@dataclass(frozen=True)
class Problem:
    """One mistake. ``file``: where it stands, or the override that made it; ``path``: as ``--set`` takes it."""

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        where = self.file or "''" if self.line is None else f"{self.file}:{self.line}"
        return visible(located(where, self.path, self.message))


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
    return dotter(data)(path)


def dotter(data: Any) -> Callable[[KeyPath], str]:
    """Return ``dotted`` for many paths of the same data: the entries of a list are named once."""
    named: dict[KeyPath, list[str | None]] = {}

    def write(path: KeyPath) -> str:
        inside, parts = data, []
        for depth, part in enumerate(path):
            name: str | int = part
            if isinstance(inside, list | tuple) and isinstance(part, int) and part < len(inside):
                if isinstance(inside[part], dict):
                    above = path[:depth]
                    if above not in named:
                        named[above] = entry_names(inside)
                    name = named[above][part] or part
                inside = inside[part]
            else:
                inside = inside.get(part) if isinstance(inside, dict) else None
            parts.append(_part(str(name)))
        return ".".join(parts)

    return write


def _part(text: str) -> str:
    if re.fullmatch(r"[\w-]{1,60}", text):
        return text
    quoted = json.dumps(text[:60], ensure_ascii=False)
    return quoted if len(text) <= 60 else quoted[:-1] + '..."'


def impossible_values(data: Any, path: KeyPath = ()) -> Iterator[Found]:
    """Yield what no key of a scenario can hold: nan, infinity, whole numbers beyond 64 bits, dates."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from impossible_values(value, (*path, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from impossible_values(value, (*path, index))
    elif isinstance(data, float) and not math.isfinite(data):
        yield path, f"found {data}; must be a finite number"
    elif isinstance(data, int) and not -(2**63) <= data < 2**63:
        yield path, "found a whole number that takes more than 64 bits"
    elif isinstance(data, datetime.date | datetime.time):
        in_quotes = path[-2:] == ("mtbf", "begin")
        yield path, f"found {data}; {'must be text, in quotes' if in_quotes else 'no key takes a date or time of day'}"


def in_plain_words(error: ValidationError, data: dict[str, Any]) -> Iterator[Found]:
    """Yield every mistake once, with its path in ``data``; union tags are dropped from paths."""
    details = error.errors(include_url=False)
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"][:MOST_PROBLEMS]
    for detail in details:
        path, kind = _untagged(detail["loc"], data), detail["type"]
        if kind == "missing" and _misspelt(detail["loc"], unknown):
            continue  # one mistake, one line: the misspelt key has its own
        if kind == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
            continue  # entries that are wrong themselves do not count as entries
        if kind == "missing" and isinstance(path[-1], int):  # a pair with one entry
            yield path[:-1], f"found a list of {path[-1]}; must be a list of {path[-1] + 1}"
        elif kind == "union_tag_invalid":
            yield _unknown_kind(path, detail)
        elif kind == "topology":
            yield from ((path, problem) for problem in detail["ctx"]["problems"])
        else:
            yield path, _message(detail)


def _misspelt(missing: KeyPath, unknown: list[KeyPath]) -> bool:
    return is_misspelt(str(missing[-1]), (str(loc[-1]) for loc in unknown if loc[:-1] == missing[:-1]))


def _message(detail: ErrorDetails) -> str:
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    parent = detail["loc"][:-1]
    key = str(detail["loc"][-1])
    if kind == "quantity":
        optics = '; "optics" is for links that the topology describes' if key == "<text>" and found == "optics" else ""
        return f"{detail['msg']}{optics}"
    if kind == "missing":
        field = _fields_at(parent)[key]
        return f"missing; required ({(field.description or '').partition(';')[0]})"  # what follows is for the reference
    if kind == "extra_forbidden":
        fields, inside = _fields_at(parent), [] if parent else _inside(key)
        names = [*fields, *(["preset"] if fields.keys() >= _OF_HAZARDS else [])]
        return unknown_key(key, names, offered(inside) if inside else None)
    if kind == "literal_error":
        return not_one_of(re.findall("'(.*?)'", context["expected"]), found)
    if kind == "tuple_type" and isinstance(found, dict):
        return f"found a table; must be a list of tables, each under [[{key}]]"
    if kind in ("int_type", "float_type", "bool_type") and isinstance(found, str) and _unquoted(found, kind):
        return wrong(found, f"must {_MUST[kind]}, without quotes")
    must = _MUST[kind].format(**context) if kind in _MUST else detail["msg"].partition("should ")[2]
    return wrong(found, f"must {must or 'be valid: ' + detail['msg']}")


def _unquoted(text: str, kind: str) -> bool:
    """Whether a text would be right without its quotes."""
    form = {"int_type": r"[+-]?\d+", "float_type": r"[+-]?\d+(\.\d+)?", "bool_type": "true|false"}[kind]
    return re.fullmatch(form, text, re.ASCII) is not None


def _unknown_kind(path: KeyPath, detail: ErrorDetails) -> Found:
    found = detail["input"]
    known = re.findall("'<(.*?)>'", detail["ctx"]["expected_tags"])
    kinds = [kind for kind in known if kind not in ("text", "list", "table", "time")]  # forms of a key, not kinds
    if not isinstance(found, dict):
        text = "text with a unit, or " if "text" in known else ""
        table = not_one_of(kinds, None, "a table with a kind") if kinds else "a table"
        return path, wrong(found, f"must be {text}{table}")
    if "kind" not in found:
        return (*path, "kind"), not_one_of(kinds, None, "missing")
    kind, hint = found["kind"], None
    if path[-1:] == ("recovery",) and isinstance(kind, str) and kind in presets():
        hint = f'; {shown(kind)} is a preset: did you mean preset = "{kind}"?'
    return (*path, "kind"), not_one_of(kinds, kind, hint=hint)


def _untagged(loc: KeyPath, data: Any) -> KeyPath:
    """Return a path without the union tags, which stand in angle brackets and are no keys of the data."""
    path: KeyPath = ()
    for part in loc:
        is_key = isinstance(part, int) or (isinstance(data, dict) and part in data)
        if is_key or not re.fullmatch("<.*>", str(part), re.DOTALL):
            path = (*path, part)
            try:
                data = data[part]
            except (KeyError, IndexError, TypeError):
                data = None
    return path


def _fields_at(loc: KeyPath) -> dict[str, FieldInfo]:
    """Return the keys of the table at a path; where the path has no tag, those of all kinds together."""
    models: list[type[BaseModel]] = [Scenario]
    for part in loc:
        if isinstance(part, int):
            continue
        fields = _fields(models)
        if part in fields:
            models = _models(fields[part].annotation)
        else:
            models = [model for model in models if part == _tag(model)] or models
    return _fields(models)


def _inside(key: str) -> list[str]:
    """Return the paths of a key that stands at the top and belongs into a table, such as cluster.spares."""
    found = []
    for name, field in Scenario.model_fields.items():
        if key in _fields_at((name,)):
            entry = ".NAME" if get_origin(field.annotation) in (tuple, list) else ""
            found.append(f"{name}{entry}.{key}")
    return found


def _fields(models: list[type[BaseModel]]) -> dict[str, FieldInfo]:
    return {name: field for model in models for name, field in model.model_fields.items()}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _tag(model: type[BaseModel]) -> str:
    return tag(kind_of(model) if "kind" in model.model_fields else "table")
