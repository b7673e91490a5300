"""The files of a scenario: reading them safely, following ``extends``, merging, and knowing where a key came from."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from dcsim.hazards.presets import expanded
from dcsim.problems import wrong
from dcsim.scenario.errors import KeyPath, Problem, ScenarioError
from dcsim.shipped import shipped_files
from dcsim.textfile import NoTextError, read_text
from dcsim.units import MTBF, parse, parse_any
from dcsim.wording import nearest, offered, shown

TABLES = "scenario"
"""What tables that were never in a file are called in errors."""
_SYNTAX = {
    "Invalid value$": "this value cannot be read",
    "Expected newline or end of document.*": "something follows the value",
    r"Illegal character '\\n'": "the text has no closing quote",
    "Cannot overwrite a value": "this key stands here a second time",
    r"Cannot declare \((.*?),?\) twice": r"table \1 stands here a second time",
    "Expected '=' after a key.*": 'a "=" must follow the key',
    "Expected ']' at the end of a.*": 'the header of the table has no closing "]"',
}
"""What tomllib says -> the same in plain words."""
MOST_NESTED = 50
"""Levels of tables and lists; source: assumed, ten times what a scenario needs."""
MOST_EXPANDED = 1_000
"""Entries of [[hazards]] up to which presets are expanded; a scenario takes no more of them anyway."""
TOO_DEEP = f"is nested too deeply: more than {MOST_NESTED} levels"
# No possessive repeats: those of groups match wrongly in Python 3.11.2 (Debian 12's).
_TOKEN = re.compile(
    r'''
    (?P<blank>[ \t]+|\#[^\n]*)
    |(?P<string>"""(?:[^"\\]|\\.|"(?!""))*(?:"""|\\?\Z)    # an unclosed string runs to the end: nothing here can fail
               |\'\'\'(?:[^']|'(?!''))*(?:\'\'\'|\Z)       # after its star, so nothing is tried twice
               |"(?:[^"\\\n]|\\[^\n])*"?
               |'[^'\n]*'?)
    |(?P<bare>[A-Za-z0-9_-]+)
    |(?P<mark>.)
    ''',
    re.VERBOSE | re.DOTALL,
)


class TooDeepError(ValueError):
    """Keys or brackets are nested too deeply; ``line`` says where."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(frozen=True)
class Layer:
    """One file: ``file`` as the user knows it, ``folder`` without symlinks, its tables, the line of each key."""

    file: str
    folder: Path
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]
    text: str = ""


def find(source: str | Path) -> Path:
    """Return the path of a scenario: a file, or the name of a shipped one.

    Raises ScenarioError where there is neither.
    """
    shipped = shipped_files("scenarios")
    name = str(source)
    if name in shipped and (not os.path.exists(source) or os.path.isdir(source)):
        return shipped[name]
    if os.path.lexists(source):
        return Path(source)
    raise _error(name, None, f"no such file, nor a scenario that comes with dcsim{_near_scenario(name, shipped)}")


def read_layers(source: Path | Mapping[str, Any]) -> list[Layer]:
    """Read a scenario file, or tables that are at hand, and what they extend, the source itself first.

    Paths in tables start in the working folder. Raises ScenarioError, naming the file and line at fault.
    """
    if isinstance(source, Path):
        real = Path(os.path.realpath(source))
        layers, chain = [_read(source, str(source))], [real]
    else:
        here = Path.cwd()
        layers, chain, real = [_layer(TABLES, here, deepcopy(dict(source)), {})], [], here / TABLES
    while "extends" in (child := layers[-1]).data:
        base = child.data.pop("extends")
        line = child.lines.get(("extends",))

        def error(why: str, base: object = base, child: Layer = child, line: int | None = line) -> ScenarioError:
            return _error(child.file, line, wrong(base, why), "extends")

        if not isinstance(base, str) or not base.strip() or "\0" in base:
            raise error("must be text: a file in the scenario folder")
        target = Path(os.path.realpath(child.folder / base))
        if not target.is_relative_to(real.parent):
            raise error(f"lies outside of the scenario folder {shown(str(real.parent))}; must stay inside")
        if target in chain:
            circle = " -> ".join(shown(each.name) for each in (*chain[chain.index(target) :], target))
            raise error(f"leads back to itself: {circle}")
        if not os.path.exists(target):
            raise error(f"no such file{_near_file(target, real)}")
        chain.append(target)
        layers.append(_read(target, str(Path(child.file).parent / base)))
    return layers


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Merge files, the first one on top: tables key by key, everything else replaces what lies below."""
    data: dict[str, Any] = {}
    for layer in reversed(layers):
        data = _merge(data, layer.data)
    return deepcopy(data)  # the overrides will change it, and the layers must still say what stood where


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def layer_of(layers: Sequence[Layer], path: KeyPath) -> tuple[Layer, KeyPath]:
    """Return the file that gives a path its value and the part of the path that it holds.

    A path that no file holds belongs to the file that comes nearest, the topmost one of equals.
    """
    best, held = layers[0], 0
    for layer in layers:
        length, hides = _held(layer.data, path)
        if length > held:
            best, held = layer, length
        if hides:
            break
    return best, path[:held]


def line_of(layer: Layer, held: KeyPath) -> int | None:
    """Return the line of a path, or of the nearest key around it."""
    return next((layer.lines[held[:n]] for n in range(len(held), 0, -1) if held[:n] in layer.lines), None)


def _held(data: Any, path: KeyPath) -> tuple[int, bool]:
    """Return how much of a path a file holds, and whether that hides the files below: only tables are merged."""
    hides = False
    for length, part in enumerate(path):
        hides = hides or not isinstance(data, dict)
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not (in_list or (isinstance(data, dict) and part in data)):
            return length, hides
        data = data[part]
    return len(path), hides or not isinstance(data, dict)


def _read(path: Path, file: str) -> Layer:
    """Read and parse one file; every way in which it can be no TOML text is one clear error."""
    line: int | None = None
    text = ""
    try:
        text = read_text(path)
        lines = key_lines(text)
        return _layer(file, Path(os.path.realpath(path)).parent, tomllib.loads(text), lines, text)
    except NoTextError as error:
        why, line = error.why, error.line
    except TooDeepError as error:
        why, line = TOO_DEEP, error.line
    except tomllib.TOMLDecodeError as error:
        why, line = _syntax(str(error), text)
    except ValueError as error:  # an integer of more digits than Python reads
        why = f"is not valid TOML: {error}".partition(";")[0]
    raise _error(file, line, why)


def _layer(file: str, folder: Path, data: dict[str, Any], lines: Mapping[KeyPath, int], text: str = "") -> Layer:
    """Return a file in which every hazard that a preset stands for has an entry of its own, on the preset's line."""
    entries = data.get("hazards")
    if not isinstance(entries, list) or len(entries) > MOST_EXPANDED:
        return Layer(file, folder, data, lines, text)
    parts = [expanded(entry) for entry in entries]
    placed: dict[KeyPath, int] = {}
    firsts = [0, *accumulate(map(len, parts))]
    for path, line in lines.items():
        index = path[1] if path[:1] == ("hazards",) and len(path) > 1 else None
        if not isinstance(index, int) or index >= len(parts):
            placed[path] = line
            continue
        for now in range(firsts[index], firsts[index + 1]):
            placed["hazards", now, *path[2:]] = line
    return Layer(file, folder, {**data, "hazards": [each for part in parts for each in part]}, placed, text)


def _syntax(message: str, text: str) -> tuple[str, int]:
    """Return what tomllib found and the line, with the remedy for the usual slip: text without quotes."""
    place = re.search(r" \((?:at line (\d+), column (\d+)|at end of document)\)$", message)
    lines = text.split("\n")
    line = int(place[1]) if place and place[1] else len(lines)
    why = message[: place.start()] if place else message
    for said, plain in _SYNTAX.items():
        why = re.sub(said, plain, why)
    unquoted = re.fullmatch(r"\s*([\w.-]+)\s*=\s*([\w$.+-][^\"'\[\]{}#=]*?)\s*(#.*)?", lines[line - 1][:200])
    slip = unquoted and why in (_SYNTAX["Invalid value$"], _SYNTAX["Expected newline or end of document.*"])
    hint = _quoted(unquoted[1], unquoted[2]) if unquoted and slip else ""
    return f"is not valid TOML: {why}{hint}", line


def _quoted(key: str, text: str) -> str:
    """Offer the same text in quotes; a number with a unit only if it can be read as it stands."""
    if text.lower() in ("true", "false", "yes", "no"):
        return "; a truth value is true or false, in lower case"
    if text.lower() in ("none", "null", "nil", "undefined"):
        return "; leave out a key that has no value"
    try:
        if text[0] in "+-.0123456789":
            parse(text, MTBF) if text.endswith(tuple(MTBF.rates)) else parse_any(text)
    except PydanticCustomError:
        return "; text must stand in quotes"
    return f'; did you mean {key} = "{text}"?'


def _near_file(path: Path, itself: Path) -> str:
    known = {each.stem: each.name for each in _files_in(path.parent) if each.name != itself.name}
    return offered([known[stem] for stem in nearest(path.stem, known)])


def _near_scenario(name: str, shipped: Iterable[str]) -> str:
    """Name the files beside a missing one, and the shipped scenarios, that may be meant; else say where to look."""
    path = Path(name)
    own = {each.stem: str(path.parent / each.name) for each in _files_in(path.parent)}
    known = {name: name for name in shipped} | own
    hints = (
        offered([known[each] for each in nearest(text.removesuffix(".toml"), known)]) for text in (name, path.name)
    )
    return next(filter(None, hints), '; "dcsim list" names those')


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.suffix == ".toml")
    except (OSError, ValueError):
        return []


def _error(file: str, line: int | None, why: str, path: str = "") -> ScenarioError:
    return ScenarioError([Problem(file, line, path, why)])


def remarks(text: str) -> dict[int, str]:
    """Return the comments that stand behind something, by the line that they are on."""
    found: dict[int, str] = {}
    line, alone = 1, True
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if token.lastgroup == "blank" and mark[0] == "#" and not alone:
            found[line] = mark.strip("# \t")
        if mark == "\n":
            alone = True
        elif token.lastgroup != "blank":
            alone = False
        line += mark.count("\n")
    return found


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of every table header and of every key that begins a statement.

    Keys inside of inline tables and lists are left out: they stand with the key that holds them. An entry of an
    array of tables has its index in the path. Text that is no TOML gives lines of no meaning. Raises TooDeepError
    beyond ``MOST_NESTED`` dots or brackets, because the time that ``tomllib`` takes is quadratic in the depth.
    """
    found: dict[KeyPath, int] = {}
    entries: dict[KeyPath, int] = {}
    table: KeyPath = ()
    key: list[str] = []
    header = nested = dots = 0
    line = first = 1
    in_value = False
    for token in _TOKEN.finditer(text + "\n"):
        mark = token.group()
        if mark == "\n" and not nested:
            if header and key:
                table = _open(key, header > 1, entries)
                _note(found, table, first)
            key, header, in_value = [], 0, False
        elif in_value:
            nested += (mark in "[{") - (mark in "]}") if token.lastgroup == "mark" else 0
        elif token.lastgroup in ("bare", "string"):
            first = line if not key else first
            key.append(_decoded(mark))
        elif mark == "[" and not key:
            header += 1
        elif mark == "=" and not header:
            _note(found, (*table, *key), first)
            in_value = True
        if token.lastgroup == "mark":
            dots = dots + 1 if mark == "." else 0
        if max(dots, nested) > MOST_NESTED:
            raise TooDeepError(line)
        nested = max(nested, 0)
        line += mark.count("\n")
    return found


def _open(key: list[str], array: bool, entries: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a table header; of ``[[key]]`` that of its new entry."""
    path: KeyPath = ()
    for number, part in enumerate(key, 1):
        path = (*path, part)
        if array and number == len(key):
            entries[path] = entries.get(path, -1) + 1
        if path in entries:
            path = (*path, entries[path])
    return path


def _note(found: dict[KeyPath, int], path: KeyPath, line: int) -> None:
    for length in range(1, len(path) + 1):
        found.setdefault(path[:length], line)


def _decoded(token: str) -> str:
    if token[0] not in "\"'":
        return token
    try:
        value: Any = tomllib.loads(f"key = {token}")["key"]
    except ValueError:
        return token
    return str(value)
