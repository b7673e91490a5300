"""Elements of a list in a large JSON file, one by one: no more than one element is in memory."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from dcsim.records.tables import Broken
from dcsim.textfile import RecordError, text_of_file

CHUNK = 1 << 20
"""Characters that are read at a time."""
LONGEST = 1 << 26
"""Longest element, and longest text before the list [characters]; source: assumed."""
_SPACE = " \t\r\n"


class _Text:
    """A file's text from where it is being read."""

    def __init__(self, file: Any) -> None:
        self.file, self.text, self.at, self.done = file, "", 0, False

    def more(self) -> bool:
        """Read on; return whether there was anything. Raises RecordError if an element is too long."""
        if self.done:
            return False
        if len(self.text) - self.at > LONGEST:
            raise RecordError(f"holds an element of more than {LONGEST:,} characters")
        # Twice as much each time, so that a long element is not decoded over and over.
        found = self.file.read(max(CHUNK, len(self.text) - self.at))
        self.text, self.at, self.done = self.text[self.at :] + found, 0, not found
        return bool(found)

    def next(self) -> str:
        """Return the next sign that is no blank, "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def line(self) -> str:
        """Return what is left of a line, at most a chunk of it."""
        while (end := self.text.find("\n", self.at)) < 0 and len(self.text) - self.at < CHUNK and self.more():
            pass
        begin, self.at = self.at, len(self.text) if end < 0 else end + 1
        return self.text[begin : self.at].strip()

    def value(self) -> Any:
        """Return the value that begins here; raises ValueError if there is none."""
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except ValueError:
                if not self.more():
                    raise
                continue
            if end == len(self.text) and self.more():
                continue  # a number may go on
            self.at = end
            return found


_DECODER = json.JSONDecoder()


def elements(paths: Sequence[Path], key: str, broken: Broken) -> Iterator[tuple[str, Any]]:
    """Yield the place and value of each element of the lists under ``key``, such as "data.result".

    What follows a mistake in a file cannot be read; it counts as one broken line. Raises RecordError if no file has
    such a list.
    """
    lists = 0
    for path in paths:
        before = f"{path.name} " if len(paths) > 1 else ""
        number = 0
        try:
            with text_of_file(path) as file:
                source = _Text(file)
                while source.next() == "{":  # several answers may stand one behind the other
                    for found in _within(source, key.split(".")):
                        if found is _LIST:
                            lists += 1
                        else:
                            number += 1
                            yield f"{before}element {number}", found
                if source.next():
                    raise ValueError("more")
        except (ValueError, RecursionError):
            broken.add(f"{before}after element {number}", "no JSON from here on")
        except RecordError as error:
            raise RecordError(f"{path.name}: {error}" if len(paths) > 1 else str(error)) from None
    if not lists:
        raise RecordError(f'has no list of "{key}"' + (f"; {broken.told()[0]}" if broken.total else ""))


_LIST = object()
"""Stands for the beginning of a list."""


def _within(source: _Text, keys: Sequence[str], beside: dict[str, Any] | None = None) -> Iterator[Any]:
    """Read an object; yield _LIST and the elements of the list under the keys; raises ValueError if it is none.

    ``beside`` gets its other members.
    """
    source.at += 1
    while (sign := source.next()) and sign != "}":
        name = source.value()
        if source.next() != ":":
            raise ValueError("no colon")
        source.at += 1
        begins = source.next()
        if name == keys[0] and len(keys) > 1 and begins == "{":
            yield from _within(source, keys[1:])
        elif name == keys[0] and len(keys) == 1 and begins == "[":
            yield _LIST
            source.at += 1
            while (sign := source.next()) and sign != "]":
                yield source.value()
                if source.next() == ",":
                    source.at += 1
            _closed(source, sign)
        else:
            value = source.value()
            if beside is not None:
                beside[name] = value
        if source.next() == ",":
            source.at += 1
    _closed(source, sign)


def _closed(source: _Text, sign: str) -> None:
    if not sign:
        raise ValueError("open")
    source.at += 1


T = TypeVar("T")


@dataclass(frozen=True)
class Document(Generic[T]):
    """One JSON object of many in a file: the lines before it, its other members, and what was taken from its list."""

    place: str
    before: tuple[str, ...]
    beside: dict[str, Any]
    taken: list[T]


def documents(paths: Sequence[Path], key: str, broken: Broken, take: Callable[[Any], T]) -> Iterator[Document[T]]:
    """Yield the objects of files that have a list under ``key``, and what ``take`` makes of each of its elements.

    Lines of text may stand before an object. An element of which ``take`` raises KeyError, TypeError, AttributeError or
    ValueError is a broken line. What follows a mistake in a file cannot be read; it counts as one. Raises RecordError.
    """
    lists = 0
    for path in paths:
        before = f"{path.name} " if len(paths) > 1 else ""
        number = 0
        try:
            with text_of_file(path) as file:
                source, lines = _Text(file), list[str]()
                while sign := source.next():
                    if sign != "{":
                        lines = [*lines[-1:], source.line()]
                        continue
                    number += 1
                    beside, taken, found = dict[str, Any](), list[T](), False
                    for element, each in enumerate(_within(source, [key], beside)):
                        if each is _LIST:
                            found = True
                            continue
                        try:
                            taken.append(take(each))
                        except (KeyError, TypeError, AttributeError, ValueError):
                            broken.add(f"{before}object {number} element {element}", f'not one of "{key}"')
                    lists += found
                    if found:
                        yield Document(f"{before}object {number}", tuple(lines), beside, taken)
                    lines = []
        except (ValueError, RecursionError):
            broken.add(f"{before}after object {number}", "no JSON from here on")
        except RecordError as error:
            raise RecordError(f"{path.name}: {error}" if len(paths) > 1 else str(error)) from None
    if not lists:
        raise RecordError(f'has no list of "{key}"' + (f"; {broken.told()[0]}" if broken.total else ""))
