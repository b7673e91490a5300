"""Figures: numbers that know how they are shown. Tables hold them, and each renderer writes them in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10

from dcsim.decide.metrics import Metric

MISSING = "-"
"""Stands where a number is undefined."""


@dataclass(frozen=True)
class Figure:
    """A number of a table, unrounded, in the unit in which it is shown; as text it has its decimals.

    ``value``: None where it is undefined. ``digits``: decimals. ``half_width``: that of its 95 % interval.
    ``half_shown``: what is shown of it, where that is not its nearest decimal. ``upper``: where a range from ``value``
    on ends. ``signed``: a plus is shown too. ``before``, ``behind``: words, a unit or a remark beside it, with blanks.
    """

    value: float | None
    digits: int = 0
    half_width: float | None = None
    half_digits: int | None = None
    half_shown: float | None = None
    upper: float | None = None
    signed: bool = False
    before: str = ""
    behind: str = ""

    def __str__(self) -> str:
        return MISSING if self.value is None else f"{self.front}{self.decimals}{self.error}{self.behind}"

    @property
    def front(self) -> str:
        """What stands before the decimal point: perhaps words, the sign, thousands separated."""
        return self.before + self._shown.partition(".")[0]

    @property
    def decimals(self) -> str:
        """The decimal point and what follows it, or nothing."""
        _, point, decimals = self._shown.partition(".")
        return point + decimals

    @property
    def error(self) -> str:
        """The interval, or the end of a range, or nothing."""
        if self.half_width is not None:
            half = self.half_width if self.half_shown is None else self.half_shown
            return f" ± {_shown(half, self.digits if self.half_digits is None else self.half_digits)}"
        return "" if self.upper is None else f" to {_shown(self.upper, self.digits)}"

    @property
    def _shown(self) -> str:
        return _shown(self.value or 0.0, self.digits, self.signed)

    def with_half(self, half: "Figure") -> "Figure":
        """Return the figure with the half width of its interval, which has decimals of its own."""
        return replace(self, half_width=half.value, half_digits=half.digits)

    def with_words(self, behind: str) -> "Figure":
        """Return the figure with a unit or remark behind it, which begins with its blank."""
        return replace(self, behind=behind)


Cell = Figure | str
"""What a table holds: a figure, or words."""


def _shown(value: float, digits: int, signed: bool = False) -> str:
    return f"{value:+z,.{digits}f}" if signed else f"{value:z,.{digits}f}"


def per_cent(fraction: float | None, digits: int = 2) -> Figure:
    """Return a fraction in per cent."""
    return number(None if fraction is None else 100 * fraction, digits)


def loss(fraction: float | None) -> Figure:
    """Return a loss in per cent: two decimals, more where two significant digits need them."""
    return per_cent(fraction, loss_digits(fraction))


def loss_digits(fraction: float | None) -> int:
    """Return how many decimals a loss in per cent needs for two significant digits: 2 to 5."""
    value, digits = abs(100 * (fraction or 0.0)), 2
    while 0 < value < 10 ** (1 - digits) and digits < 5:
        digits += 1
    return digits


def span(low: float | None, high: float | None, least: int = 2, most: int = 5) -> Figure:
    """Return from where to where, with the decimals that tell the ends apart; shown as one number where none do."""
    if low is None or high is None:
        return Figure(None)
    for digits in range(least, most + 1):
        if _shown(low, digits) != _shown(high, digits):
            return Figure(low, digits, upper=high)
    return Figure(low, least)


def number(value: float | None, digits: int) -> Figure:
    """Return a number, shown with thousands separated; what rounds to zero has no sign."""
    return Figure(value, digits)


def usd(value: float | None) -> Figure:
    """Return dollars, shown whole and without the sign."""
    return number(value, 0)


def scale_of(amounts: Sequence[float]) -> tuple[float, str]:
    """Return what amounts of money are divided by, and the unit that they have then: USD, or million USD."""
    return (1e6, "million USD") if max(map(abs, amounts), default=0.0) >= 1e6 else (1.0, "USD")


def dollars(amount: float | None, scale: float, beside: float | None = None) -> Figure:
    """Return an amount of money in the unit of ``scale_of``: with one decimal, or four digits below one thousand.

    ``beside``: the amount that it is the error of, whose decimals it takes.
    """
    if amount is None:
        return Figure(None)
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


def plus_minus(mean: float | None, half_width: float | None) -> Figure:
    """Return a mean with the half-width of its 95 % interval, if it has one: two digits, or as many as that needs."""
    digits = 2
    while half_width and digits < 5 and half_width < 10**-digits:
        digits += 1
    return Figure(mean, digits, half_width)


# --- physical quantities ------------------------------------------------------------------------------------------


def _scaled(value: float, units: Sequence[str]) -> Figure:
    """Return a value in the unit that keeps its four digits short."""
    power = max((place for place in range(len(units)) if abs(value) >= 0.99995 * 1000**place), default=0)
    scaled = value / 1000**power
    return (brief(scaled, 4) if scaled < 9999 else number(scaled, 0)).with_words(f" {units[power]}")


def brief(value: float, digits: int = 6) -> Figure:
    """Return a number of at most so many significant digits, without zeros at its end."""
    decimals = max(0, digits - 1 - floor(log10(abs(value)))) if value else 0
    text = f"{value:.{decimals}f}"
    return number(value, len(text.rstrip("0").partition(".")[2]))


def watts(value: float) -> Figure:
    """Return a power."""
    return _scaled(value, ("W", "kW", "MW", "GW"))


def rate(gigabytes: float) -> Figure:
    """Return the data rate of a link, in bits."""
    return _scaled(gigabytes * 8e3, ("Mb/s", "Gb/s", "Tb/s", "Pb/s"))


def bandwidth(gigabytes: float) -> Figure:
    """Return the data rate of storage, in bytes."""
    return _scaled(gigabytes * 1e3, ("MB/s", "GB/s", "TB/s", "PB/s"))


@dataclass(frozen=True)
class PointUnit:
    """How the figure of a point is shown: divided by ``scale``, in ``name``, with so many digits."""

    scale: float
    name: str
    digits: int

    @classmethod
    def of(cls, metric: Metric, values: Sequence[float]) -> "PointUnit":
        """Return the unit in which some values of a figure are told apart: three digits of what they span."""
        scale, name = 1.0, metric.unit
        if metric.unit == "1":
            scale, name = 0.01, "%"
        elif metric.unit == "USD":
            scale, name = scale_of(values)
        spread = (max(values, default=0.0) - min(values, default=0.0)) / scale
        digits = 2 if spread == 0 else 1 - floor(log10(spread))
        return cls(scale, name, min(5, max(0 if metric.unit in ("GPU-h", "h") else 2, digits)))

    def figure(self, value: float | None, half_width: float | None = None) -> Figure:
        """Return a value with the half width of its interval; one below the last digit is rounded up."""
        half = shown = None if half_width is None else half_width / self.scale
        if half and half < 10**-self.digits:
            shown = ceil(half * 10**self.digits) / 10**self.digits
        return Figure(None if value is None else value / self.scale, self.digits, half, half_shown=shown)

    def said(self, value: float) -> str:
        """Return a value with its unit."""
        return f"{number(value / self.scale, self.digits)} {self.name}"
