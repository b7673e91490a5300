"""Quantities: text with a unit in, one canonical number out.

Inside the program durations are int milliseconds, fractions floats in [0, 1), sizes float GiB, money
float USD, power float W and data rates float GB/s.
The table is closed: a unit that is not in it is an error, so ``15 m`` can never be read as metres. A mean time between
failures may also be written as a rate; it is kept as a duration.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from dcsim.spelling import remark, respelled
from dcsim.wording import shown

MS_PER_S = 1_000
MS_PER_MIN = 60_000
MS_PER_H = 3_600_000
MS_PER_DAY = 24 * MS_PER_H
MS_PER_WEEK = 7 * MS_PER_DAY
MS_PER_MONTH = 720 * MS_PER_H
HOURS_PER_MONTH = 720
"""Hours in the model's month (source: deck)."""
HOURS_PER_YEAR = 8_760

_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(\S.*?)\s*", re.ASCII)
_SLURM_FORM = r"\s*(\d{1,9})-([01]\d|2[0-3]):([0-5]\d):([0-5]\d)\s*"
_SLURM = re.compile(_SLURM_FORM, re.ASCII)


@dataclass(frozen=True)
class Dimension:
    """One kind of quantity: its canonical unit, the closed table of units and what values are allowed.

    ``rates``: units of the inverse that may be written too, with the canonical number that a rate of one means.
    """

    name: str
    canonical: str
    units: Mapping[str, Decimal]
    example: str
    most: float
    positive: bool = False
    below_most: bool = False
    rates: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether canonical numbers are ints."""
        return self.canonical.endswith("ms")

    @property
    def allowed(self) -> str:
        """What may be written, in words."""
        rate = ', or a rate such as "0.001 /h", "9 %/y" or "500 FIT"' if self.rates else ""
        return f'{self.name} as text with a unit such as "{self.example}" ({", ".join(self.units)}){rate}'

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every unit that may be written."""
        return *self.units, *self.rates

    @property
    def listed(self) -> tuple[str, ...]:
        """Every unit once, as a table of units names it: of the spellings of one rate the shortest."""
        return *self.units, *(rate for rate in self.rates if not rate.startswith("1/") and "per " not in rate)


def _table(**units: str | int) -> dict[str, Decimal]:
    return {name: Decimal(factor) for name, factor in units.items()}


_TIME = {
    "s": Decimal(MS_PER_S),
    "min": Decimal(MS_PER_MIN),
    "h": Decimal(MS_PER_H),
    "d": Decimal(24 * MS_PER_H),
    "mo": Decimal(MS_PER_MONTH),
    "y": Decimal(HOURS_PER_YEAR * MS_PER_H),
}
_WORK = {f"GPU-{unit}": factor for unit, factor in _TIME.items() if unit in ("s", "h", "d", "y")}
_GIB = Decimal(1024**3)
_BYTES = {
    **{unit: Decimal(1024) ** (power - 3) for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))},
    **{unit: Decimal(1000) ** power / _GIB for power, unit in enumerate(("kB", "MB", "GB", "TB", "PB"), start=1)},
}
_WATTS = {"W": Decimal(1), "kW": Decimal(10) ** 3, "MW": Decimal(10) ** 6, "GW": Decimal(10) ** 9}
_RATES = {
    **{f"{unit}b/s": Decimal(10) ** power / 8 for power, unit in ((-3, "M"), (0, "G"), (3, "T"))},
    **{f"{unit}B/s": Decimal(10) ** power for power, unit in ((-3, "M"), (0, "G"), (3, "T"))},
}
_TOKENS = {"tok": Decimal(1), "ktok": Decimal(10) ** 3, "Mtok": Decimal(10) ** 6, "Gtok": Decimal(10) ** 9}
_SMALLEST = {"ms": "millisecond", "GPU-ms": "GPU-millisecond"}
_LONGEST_TEXT = 100
_TINY = "1e-400"
_LONGEST_MS = 3.6e15  # 10^9 h: beyond any MTBF in the field, and exact as a float

_FAILURE_RATES = {
    **{f"/{unit}": factor for unit, factor in _TIME.items()},
    **{f"{per}{unit}": factor for per in ("1/", "per ") for unit, factor in _TIME.items()},
    **{f"{per}{unit}": 100 * factor for per in ("%/", "% per ") for unit, factor in _TIME.items()},
    "FIT": 10**9 * _TIME["h"],
}
"""Mean time between failures [ms] at a rate of one: failures per time, percent of the components per time, FIT."""

DURATION = Dimension("a duration", "ms", _TIME, "15 min", _LONGEST_MS)
POSITIVE_DURATION = Dimension("a duration above zero", "ms", _TIME, "15 min", _LONGEST_MS, positive=True)
MTBF = Dimension(
    "a mean time between failures", "ms", _TIME, "25000 h", _LONGEST_MS, positive=True, rates=_FAILURE_RATES
)
FRACTION = Dimension("a share below 100 %", "1", {"%": Decimal("0.01")}, "5 %", 1.0, below_most=True)
SHARE = Dimension("a share up to 100 %", "1", FRACTION.units, "90 %", 1.0)
WORK = Dimension("an amount of work above zero", "GPU-ms", _WORK, "2.1e6 GPU-h", 1e18, positive=True)
SIZE = Dimension("a size", "GiB", _BYTES, "500 TiB", 1e15)
POWER = Dimension("a power", "W", _WATTS, "120 kW", 1e15)
RATE = Dimension("a data rate above zero", "GB/s", _RATES, "400 Gb/s", 1e12, positive=True)
LENGTH = Dimension("a length above zero", "m", {"m": Decimal(1), "km": Decimal(1000)}, "3 m", 1e7, positive=True)
PER_KWH = Dimension(
    "a price of energy", "USD/kWh", {"USD/kWh": Decimal(1), "USD/MWh": Decimal("0.001")}, "0.087 USD/kWh", 1e6
)
POINTS = Dimension("a number of percentage points", "pp", {"pp": Decimal(1)}, "0.05 pp", 100.0, positive=True)
MONEY = Dimension("an amount of money", "USD", _table(USD=1), "4 USD", 1e15)
PER_GPU_HOUR = Dimension(
    "a price per GPU-hour", "USD", {"USD": Decimal(1), "USD/GPU-h": Decimal(1)}, "4 USD", 1e6, positive=True
)
FEE_PER_GPU_HOUR = replace(PER_GPU_HOUR, name="a price per GPU-hour, or none", example="0.10 USD", positive=False)
PER_MONTH = Dimension("money per month", "USD/mo", {"USD/mo": Decimal(1)}, "8333 USD/mo", 1e15)
PER_KW_MONTH = Dimension("a price per kW and month", "USD/kW/mo", {"USD/kW/mo": Decimal(1)}, "110 USD/kW/mo", 1e6)
PER_WATT = Dimension(
    "a price per watt",
    "USD/W",
    {"USD/W": Decimal(1), "USD/kW": Decimal("0.001"), "USD/MW": Decimal("0.000001")},
    "11 USD/W",
    1e6,
)
PER_GIB_MONTH = Dimension(
    "a storage price",
    "USD/GiB/mo",
    {"USD/GiB/mo": Decimal(1), "USD/TiB/mo": Decimal(1) / 1024},
    "0.035 USD/GiB/mo",
    1e6,
)
TOKENS = Dimension("a number of tokens above zero", "tok", _TOKENS, "10 Mtok", 1e18, positive=True)
TOKEN_RATE = Dimension(
    "a rate of tokens above zero",
    "tok/s",
    {f"{unit}/s": factor for unit, factor in _TOKENS.items()},
    "735 tok/s",
    1e12,
    positive=True,
)
PER_MTOK = Dimension(
    "a price of tokens above zero", "USD/Mtok", {"USD/Mtok": Decimal(1)}, "1.75 USD/Mtok", 1e6, positive=True
)
_ANY = (
    *(DURATION, SHARE, WORK, SIZE, POWER, RATE, LENGTH, TOKENS, TOKEN_RATE),
    *(PER_KWH, MONEY, PER_GPU_HOUR, PER_MONTH, PER_KW_MONTH, PER_WATT, PER_GIB_MONTH, PER_MTOK),
)


def _wrong(found: object, why: str) -> PydanticCustomError:
    return PydanticCustomError("quantity", "found {found}; {why}", {"found": shown(found), "why": why})


def parse(value: object, dimension: Dimension) -> float:
    """Turn text with a unit into the dimension's canonical unit (an int for durations, in ms).

    A rate of failures r becomes the mean time between failures 1 / r, rounded to the nearest ms (half to even); "9 %/y"
    is 0.09 failures a year of 8,760 h for each component, "500 FIT" is 500 failures in 10^9 h. Raises
    PydanticCustomError (one line: found, allowed, and the same value spelled right if it has one reading) on anything
    else, numbers without a unit included.
    """
    if not isinstance(value, str):
        hint = "; the unit is missing" if isinstance(value, int | float) and not isinstance(value, bool) else ""
        raise _wrong(value, f"allowed: {dimension.allowed}{hint}")
    slurm = _SLURM.fullmatch(value) if dimension.units is _TIME else None
    match = _QUANTITY.fullmatch(value) if len(value) <= _LONGEST_TEXT else None
    if slurm:
        days, hours, minutes, seconds = (int(part) for part in slurm.groups())
        number = Decimal((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * MS_PER_S)
    elif match is None or match[2] not in dimension.spellings:
        raise _no_quantity(value, dimension)
    else:
        number = _canonical(match, value, dimension)
    return _within(number, value, dimension)


def _canonical(match: re.Match[str], value: str, dimension: Dimension) -> Decimal:
    """Return the number in canonical units; what is not above zero stays so."""
    unit = match[2]
    try:
        written = Decimal(match[1])
        if unit in dimension.units:
            number = written * dimension.units[unit]
        else:
            number = dimension.rates[unit] / written if written > 0 else written
    except ArithmeticError:
        raise _wrong(value, f"the number is out of range; allowed: {dimension.allowed}") from None
    return number or Decimal(_TINY).copy_sign(written) * bool(written)  # what underflows is no zero


def _within(number: Decimal, value: str, dimension: Dimension) -> float:
    if number < 0 or (number == 0 and dimension.positive):
        raise _wrong(value, "must be above zero" if dimension.positive else "must not be negative")
    small = number <= Decimal(dimension.most)  # what is too large is never made an int
    result = (int(number.to_integral_value()) if dimension.whole else float(number)) if small else math.inf
    if not small or (dimension.below_most and result == dimension.most):
        below = "below" if dimension.below_most else "at most"
        large = "too long a time" if dimension.rates else "too large"
        raise _wrong(value, f"{large}; must be {below} {write(dimension.most, dimension)}")
    if result == 0 and number > 0 and dimension.whole:
        raise _wrong(value, f"below one {_SMALLEST[dimension.canonical]}, the resolution of the simulation")
    if result == 0 and dimension.positive:
        raise _wrong(value, "too small")
    return abs(result)  # -0.0 is 0.0


def _no_quantity(value: str, dimension: Dimension) -> PydanticCustomError:
    """Say why a text is no quantity of this dimension: never with another value, only with another spelling."""
    if re.fullmatch(_NUMBER, value.strip(), re.ASCII):
        return _wrong(value, f"allowed: {dimension.allowed}; the unit is missing")
    short = value if len(value) <= _LONGEST_TEXT else ""
    if spelled := respelled(short, dimension.spellings):
        return _respelled(value, spelled, dimension, f"allowed: {dimension.allowed}")
    if dimension.units is _TIME and (spelled := respelled(short, _FAILURE_RATES)):
        try:
            told = f" ({spelled} is one failure in {parse(spelled, MTBF) / MS_PER_H:.10g} h)"
        except PydanticCustomError:
            told = ""
        return _wrong(value, f"a rate is not read here{told}; allowed: {dimension.allowed}")
    why = remark(short, dimension.spellings)
    return _wrong(value, f"allowed: {dimension.allowed}{'; ' if why else ''}{why}")


def _respelled(value: object, spelled: str, dimension: Dimension, allowed: str) -> PydanticCustomError:
    """Offer another spelling of a value, or say what is wrong with the value however it is spelled."""
    try:
        parse(spelled, dimension)
    except PydanticCustomError as error:
        return _wrong(value, (error.context or {})["why"])
    return _wrong(value, f'{allowed}; did you mean "{spelled}"?')


def parse_any(value: object) -> tuple[float, Dimension]:
    """Turn text with any unit of the table into a canonical number and a dimension that has the unit.

    Units of one name mean the same in every dimension. Raises PydanticCustomError on anything else.
    """
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    for dimension in _ANY:
        slurm = isinstance(value, str) and dimension.units is _TIME and _SLURM.fullmatch(value)
        if slurm or (match and match[2] in dimension.units):
            return parse(value, dimension), dimension
    raise _of_no_dimension(value)


def _of_no_dimension(value: object) -> PydanticCustomError:
    allowed = 'allowed: a number, or text with a unit such as "15 min"'
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return _wrong(value, allowed)
    for dimension in _ANY:
        if spelled := respelled(value, dimension.units):
            return _respelled(value, spelled, dimension, allowed)
    if respelled(value, _FAILURE_RATES):
        return _no_quantity(value, DURATION)
    why = remark(value, [unit for dimension in _ANY for unit in dimension.units])
    return _wrong(value, f"{allowed}{'; ' if why else ''}{why}")


def write(value: float, dimension: Dimension) -> str:
    """Write a canonical number as text that ``parse`` turns into the same number again."""
    if dimension.units is _TIME:
        for unit in ("mo", "h", "min", "s"):
            if value and int(value) % int(_TIME[unit]) == 0:
                return f"{int(value) // int(_TIME[unit])} {unit}"
        return f"{Decimal(int(value)) / MS_PER_S} s"
    if dimension is WORK:
        whole_hours = int(value) % MS_PER_H == 0
        return f"{int(value) // MS_PER_H} GPU-h" if whole_hours else f"{Decimal(int(value)) / MS_PER_S} GPU-s"
    unit = "%" if dimension.units is FRACTION.units else dimension.canonical
    number = (Decimal(repr(float(value))) / dimension.units[unit]).normalize()
    plain = f"{number:f}"
    return f"{plain if len(plain) <= 40 else number} {unit}"


def _quantity(dimension: Dimension) -> tuple[Any, ...]:
    """The pydantic annotations of one dimension: reads text, shows text, tells editors the pattern."""

    def read(value: object) -> float:
        return parse(value, dimension)

    def written(value: float) -> str:
        return write(value, dimension)

    unsigned = _NUMBER.replace("[+-]", r"\+", 1)  # nothing here may be negative
    pattern = rf"\s*{unsigned}\s*({'|'.join(dimension.spellings)})\s*"
    if dimension.units is _TIME:
        pattern = f"({pattern}|{_SLURM_FORM})"
    pattern = f"^{pattern}$"
    examples = [dimension.example, *(("9 %/y", "500 FIT") if dimension.rates else ())]
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "examples": examples, "x-unit": dimension.canonical}
    if dimension.rates:
        schema["x-inverse"] = True
    reader: Callable[[object], float] = read
    return BeforeValidator(reader), PlainSerializer(written, when_used="json"), WithJsonSchema(schema)


Whole = Annotated[int, Field(strict=True)]
"""A whole number: 4096.0, "4096" and true are not."""
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A plain number: no text, no truth value, neither nan nor inf."""
Duration = Annotated[int, *_quantity(DURATION)]
PositiveDuration = Annotated[int, *_quantity(POSITIVE_DURATION)]
MeanTimeBetweenFailures = Annotated[int, *_quantity(MTBF)]
"""A mean time between failures in ms, written as a duration or as a rate of failures."""
Fraction = Annotated[float, *_quantity(FRACTION)]
Share = Annotated[float, *_quantity(SHARE)]
"""A share from 0 to 100 %, both included."""
Work = Annotated[int, *_quantity(WORK)]
SizeGiB = Annotated[float, *_quantity(SIZE)]
Power = Annotated[float, *_quantity(POWER)]
Rate = Annotated[float, *_quantity(RATE)]
Length = Annotated[float, *_quantity(LENGTH)]
PricePerKwh = Annotated[float, *_quantity(PER_KWH)]
Money = Annotated[float, *_quantity(MONEY)]
FeePerGpuHour = Annotated[float, *_quantity(FEE_PER_GPU_HOUR)]
PricePerGpuHour = Annotated[float, *_quantity(PER_GPU_HOUR)]
MoneyPerMonth = Annotated[float, *_quantity(PER_MONTH)]
PricePerGiBMonth = Annotated[float, *_quantity(PER_GIB_MONTH)]
PricePerKwMonth = Annotated[float, *_quantity(PER_KW_MONTH)]
PricePerWatt = Annotated[float, *_quantity(PER_WATT)]
Tokens = Annotated[float, *_quantity(TOKENS)]
TokenRate = Annotated[float, *_quantity(TOKEN_RATE)]
PricePerMtok = Annotated[float, *_quantity(PER_MTOK)]


class Portion(int):
    """A whole number that was given as a share of another one; ``share``: as it was given.

    So whoever changes the other one gets the same share of it (``scenario.files.read``).
    """

    share: str

    @classmethod
    def of(cls, share: str, number: int) -> Self:
        """Return a number that remembers its share."""
        found = cls(number)
        found.share = share
        return found
