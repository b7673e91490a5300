"""On which line of a TOML text each key stands; ``tomllib`` does not say."""

import re
import tomllib
from typing import Any

from dcsim.scenario.errors import KeyPath

_TOKEN = re.compile(
    r'''
    (?P<blank>[ \t]+|\#[^\n]*)
    |(?P<string>"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)      # an unclosed string runs to the end: linear in time
               |\'\'\'(?:[^']|'(?!''))*+(?:\'\'\'|\Z)
               |"(?:[^"\\\n]|\\[^\n])*+"?
               |'[^'\n]*+'?)
    |(?P<bare>[A-Za-z0-9_-]+)
    |(?P<mark>.)
    ''',
    re.VERBOSE | re.DOTALL,
)
MOST_NESTED = 50


class TooDeepError(ValueError):
    """Keys or brackets are nested too deeply; ``line`` says where."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of every table header and of every key that begins a statement.

    Keys inside of inline tables and lists are left out: they stand with the key that holds them. An entry of an array of
    tables has its index in the path. Text that is no TOML gives lines of no meaning but no error other than TooDeepError,
    which is raised beyond ``MOST_NESTED``, because ``tomllib`` takes time quadratic in the depth.
    """
    found: dict[KeyPath, int] = {}
    entries: dict[KeyPath, int] = {}
    table: KeyPath = ()
    key: list[str] = []
    header = nested = 0
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
        if len(key) > MOST_NESTED or nested > MOST_NESTED:
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
