"""Which rows of a table are wanted: conditions on its columns, as somebody writes them on a command line."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dcsim.records.tables import names_found
from dcsim.textfile import RecordError
from dcsim.wording import shown

_CONDITION = re.compile(r"\s*(.+?)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)
_SIGNED = re.compile(r"\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)
FORM = '"column = value", "column = a, b", "column != a", "column >= 4" or "column = 2..5"'

Written = str | tuple[str, str | tuple[str, ...]]
"""A condition as text, or as a column and what it holds: a value with or without a sign, or each of several texts."""


def text_of(value: Any) -> str:
    """Return a cell's text, alike for every kind of file: whole numbers have no point, nothing is empty."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


@dataclass(frozen=True)
class Condition:
    """A condition on one column: ``holds`` says it of a cell's text."""

    column: str
    written: str
    holds: Callable[[str], bool]

    @classmethod
    def of(cls, written: Written, header: Sequence[str]) -> "Condition":
        """Read a condition; raises RecordError for one of another form, or for a column that is not there."""
        if isinstance(written, str):
            found = _CONDITION.fullmatch(written)
            if not found:
                raise RecordError(f"where {shown(written)}: must be {FORM}")
            column, sign, value = found.groups()
        else:
            column, said = written
            if not isinstance(said, str):
                texts = frozenset(said)
                return cls(_known(column, header), f"{column} = {', '.join(said)}", lambda text: text in texts)
            signed = _SIGNED.fullmatch(said)
            sign, value = signed.groups() if signed else ("=", said.strip())
            written = f"{column} {sign} {value}"
        _known(column, header)
        if sign in (">", ">=", "<", "<="):
            return cls(column, written, _compared(sign, _number(value, written)))
        wanted = [_one_of(each.strip(), written) for each in value.split(",")]
        if sign == "!=":
            return cls(column, written, lambda text: not any(each(text) for each in wanted))
        return cls(column, written, lambda text: text == value or any(each(text) for each in wanted))


def _known(column: str, header: Sequence[str]) -> str:
    """Return a column; raises RecordError if there is none of this name."""
    if column not in header:
        raise RecordError(f"has no column {shown(column)}; {names_found(header, column)}")
    return column


def _number(text: str, written: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RecordError(f"where {shown(written)}: {shown(text)} is not a number") from None


def _one_of(value: str, written: str) -> Callable[[str], bool]:
    low, dots, high = value.partition("..")
    if not dots:
        return lambda text: text == value
    least, most = _number(low, written), _number(high, written)

    def between(text: str) -> bool:
        number = _maybe(text)
        return number is not None and least <= number <= most

    return between


def _compared(sign: str, bound: float) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        number = _maybe(text)
        if number is None:
            return False
        return {">": number > bound, ">=": number >= bound, "<": number < bound, "<=": number <= bound}[sign]

    return holds


def _maybe(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
