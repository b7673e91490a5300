"""What a reader is shown, as text and before any layout: sentences, tables and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.wording import printable as printable

if TYPE_CHECKING:
    from dcsim.decide import RunResult

MISSING = "-"
"""Stands where a number is undefined."""
SHORT = 24
"""Letters of a name in a picture; source: assumed, what fits a phone."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a label with its unit, one cell per column. ``strong``: what the table is about."""

    label: str
    cells: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns, ``corner`` above the labels; ``notes`` are sentences that belong to it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    corner: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """Sentences under a title, each after what it is about."""

    title: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """A report: the answer first, then what it rests on.

    ``cautions`` stand behind the first ``headline`` sentences of the answer.
    """

    answer: tuple[str, ...] = ()
    parts: tuple[Table | Passage, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    headline: int = 1

    @property
    def opening(self) -> tuple[str, ...]:
        """What a first screen says: the answer with the cautions."""
        return (*self.answer[: self.headline], *self.cautions, *self.answer[self.headline :])


def per_cent(fraction: float | None, digits: int = 2) -> str:
    """Write a fraction in per cent, without the sign."""
    return number(None if fraction is None else 100 * fraction, digits)


def loss(fraction: float | None) -> str:
    """Write a loss in per cent, without the sign: two decimals, more where two significant digits need them."""
    return per_cent(fraction, loss_digits(fraction))


def loss_digits(fraction: float | None) -> int:
    """Return how many decimals a loss in per cent needs for two significant digits: 2 to 5."""
    value, digits = abs(100 * (fraction or 0.0)), 2
    while 0 < value < 10 ** (1 - digits) and digits < 5:
        digits += 1
    return digits


def span(low: float | None, high: float | None, least: int = 2, most: int = 5) -> str:
    """Write from where to where, with the decimals that tell the ends apart; one number where none do."""
    for digits in range(least, most + 1):
        if (first := number(low, digits)) != (last := number(high, digits)):
            return f"{first} to {last}"
    return number(low, least)


def number(value: float | None, digits: int) -> str:
    """Write a number with thousands separated; what rounds to zero has no sign."""
    return MISSING if value is None else f"{value:z,.{digits}f}"


def usd(value: float | None) -> str:
    """Write whole dollars, without the sign."""
    return number(value, 0)


def scale_of(amounts: Sequence[float]) -> tuple[float, str]:
    """Return what amounts of money are divided by, and the unit that they have then: USD, or million USD."""
    return (1e6, "million USD") if max(map(abs, amounts), default=0.0) >= 1e6 else (1.0, "USD")


def dollars(amount: float | None, scale: float, beside: float | None = None) -> str:
    """Write an amount of money in the unit of ``scale_of``: with one decimal, or four digits below one thousand.

    ``beside``: the amount that it is the error of, whose decimals it takes.
    """
    if amount is None:
        return MISSING
    size, digits = abs(amount if beside is None else beside) / scale, 1
    while size and size < 10 ** (3 - digits) and digits < 5:
        digits += 1
    return number(amount / scale, digits if size < 1e4 else 0)


def price_digits(prices: Sequence[float | None]) -> int:
    """Return the decimals that give the least price three digits: 2 from one dollar on, up to 5 below."""
    digits, least = 2, min((each for each in prices if each), default=1.0)
    while least < 10 ** (2 - digits) and digits < 5:
        digits += 1
    return digits


def plus_minus(mean: float | None, half_width: float | None) -> str:
    """Write a mean with the half-width of its 95 % interval, if it has one: two digits, or as many as that needs."""
    digits = 2
    while half_width and digits < 5 and half_width < 10**-digits:
        digits += 1
    return number(mean, digits) + ("" if half_width is None else f" ± {number(half_width, digits)}")


def and_list(parts: Sequence[str]) -> str:
    """Join names the way a sentence does."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def names(runs: Sequence["RunResult"], longest: int = 40) -> tuple[str, ...]:
    """Return what the runs are called; those of one name are numbered."""
    called = [printable(run.scenario.name, longest) for run in runs]
    return tuple(f"{name} ({index})" if called.count(name) > 1 else name for index, name in enumerate(called, 1))
