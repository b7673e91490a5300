"""Quantities: what may be written, what it means, and that it can be written back."""

import pint
import pytest
from pydantic_core import PydanticCustomError

from dcsim import units
from dcsim.units import (
    DURATION,
    FRACTION,
    LENGTH,
    MONEY,
    MS_PER_H,
    PER_GIB_MONTH,
    PER_GPU_HOUR,
    PER_KWH,
    PER_MONTH,
    POINTS,
    POSITIVE_DURATION,
    POWER,
    RATE,
    SHARE,
    SIZE,
    WORK,
    parse,
    write,
)

DIMENSIONS = (
    DURATION,
    FRACTION,
    SHARE,
    WORK,
    SIZE,
    POINTS,
    POWER,
    RATE,
    LENGTH,
    PER_KWH,
    MONEY,
    PER_MONTH,
    PER_GIB_MONTH,
)
PINT_NAMES = {"d": "day", "mo": "model_month", "y": "model_year", "%": "percent", "pp": "percent", "MB": "megabyte"}
PINT_NAMES |= {f"{prefix}b": f"{word}bit" for prefix, word in (("M", "mega"), ("G", "giga"), ("T", "tera"))}


@pytest.fixture(scope="module")
def registry():
    """Pint with the model's own month and year, and money."""
    registry = pint.UnitRegistry()
    registry.define("model_month = 720 hour")
    registry.define("model_year = 8760 hour")
    registry.define("USD = [currency]")
    registry.define("GPU = [device]")
    return registry


def pint_unit(registry, unit):
    """The unit as pint knows it; USD/GiB/mo, GPU-h and the like part by part."""
    first, *others = unit.split("/")
    result = registry("")
    for factor in first.split("-"):
        result = result * registry(PINT_NAMES.get(factor, factor))
    for other in others:
        result = result / registry(PINT_NAMES.get(other, other))
    return result


@pytest.mark.parametrize(
    ("dimension", "unit"),
    [(each, unit) for each in DIMENSIONS for unit in each.units],
)
def test_the_table_agrees_with_pint(registry, dimension, unit):
    """Every unit is as many canonical units as pint says."""
    canonical = registry("") if dimension.canonical == "1" else pint_unit(registry, dimension.canonical)
    expected = pint_unit(registry, unit).to(canonical.units).magnitude
    assert float(dimension.units[unit]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("15 min", DURATION, 15 * 60_000),
        ("0 s", DURATION, 0),
        ("0.5 s", DURATION, 500),
        ("1 d", DURATION, 24 * MS_PER_H),
        ("36 mo", DURATION, 36 * 720 * MS_PER_H),
        ("3 y", DURATION, 3 * 8_760 * MS_PER_H),
        ("1-02:03:04", DURATION, ((26 * 60 + 3) * 60 + 4) * 1_000),
        ("2.1e6 h", DURATION, 2_100_000 * MS_PER_H),
        ("+5E-1min", DURATION, 30_000),
        ("  7 h  ", DURATION, 7 * MS_PER_H),
        ("5 %", FRACTION, 0.05),
        ("-0 %", FRACTION, 0.0),
        ("100 %", SHARE, 1.0),
        ("99.5 %", SHARE, 0.995),
        ("2.1e6 GPU-h", WORK, 2_100_000 * MS_PER_H),
        ("7 GPU-d", WORK, 7 * 24 * MS_PER_H),
        ("1 GPU-y", WORK, 8_760 * MS_PER_H),
        ("0.001 GPU-s", WORK, 1),
        ("500 TiB", SIZE, 500 * 1024),
        ("10 PiB", SIZE, 10 * 1024**2),
        ("1 GB", SIZE, 1e9 / 2**30),
        ("4 USD", PER_GPU_HOUR, 4.0),
        ("2.4 USD/GPU-h", PER_GPU_HOUR, 2.4),
        ("8333 USD/mo", PER_MONTH, 8333.0),
        ("0.035 USD/GiB/mo", PER_GIB_MONTH, 0.035),
        ("1024 USD/TiB/mo", PER_GIB_MONTH, 1.0),
    ],
)
def test_a_quantity_means_what_its_unit_says(text, dimension, value):
    """Text becomes the canonical number: ms, a fraction, GiB or USD."""
    assert parse(text, dimension) == value


def test_a_duration_is_an_int_of_milliseconds():
    """Engine time is whole milliseconds, also where the text has a fraction of a second."""
    assert [type(parse(text, DURATION)) for text in ("1 h", "0.0015 s", "1-00:00:00")] == [int, int, int]
    assert parse("0.0016 s", DURATION) == 2


def test_work_is_an_int_of_gpu_milliseconds():
    """Work is counted as the ledger counts, also where the text has a fraction, and beyond 2^53 without rounding."""
    assert [type(parse(text, WORK)) for text in ("2.1e6 GPU-h", "0.0016 GPU-s")] == [int, int]
    assert parse("0.0016 GPU-s", WORK) == 2
    assert parse(write(2**59 + 1, WORK), WORK) == 2**59 + 1


def test_minus_zero_is_zero():
    """A fingerprint must not tell 0 % from -0 %."""
    assert str(parse("-0 %", FRACTION)) == "0.0"


def why_not(text, dimension):
    """What the user is told about a quantity that is not accepted."""
    with pytest.raises(PydanticCustomError) as caught:
        parse(text, dimension)
    return caught.value.message()


@pytest.mark.parametrize(
    ("value", "dimension", "words"),
    [
        (25000, DURATION, "found 25000; allowed: a duration as text with a unit"),
        (25000, DURATION, "the unit is missing"),
        (0.05, FRACTION, "the unit is missing"),
        ("25000", DURATION, "the unit is missing"),
        (True, DURATION, "found true; allowed"),
        ({}, DURATION, "found a table; allowed"),
        ([], DURATION, "found a list; allowed"),
        (None, DURATION, "found None; allowed"),
        ("", DURATION, "found ''; allowed"),
        ("h", DURATION, "found 'h'; allowed"),
        (".5 h", DURATION, "found '.5 h'; allowed"),
        ("1_000 h", DURATION, "found '1_000 h'; allowed"),
        ("5. h", DURATION, "found '5. h'; allowed"),
        ("1,5 h", DURATION, "found '1,5 h'; allowed"),
        ("٣ h", DURATION, "allowed"),
        ("1-24:00:00", DURATION, "allowed"),
        ("15 m", DURATION, '"m" may mean minutes or months; write min or mo'),
        ("15 MIN", DURATION, 'did you mean "15 min"?'),
        ("2 hours", DURATION, 'did you mean "2 h"?'),
        ("4 usd", MONEY, 'did you mean "4 USD"?'),
        ("4 USD/GPUh", PER_GPU_HOUR, 'did you mean "4 USD/GPU-h"?'),
        ("5 h", FRACTION, "(%)"),
        ("-1 h", DURATION, "must not be negative"),
        ("-0.0001 s", DURATION, "must not be negative"),
        ("0 s", POSITIVE_DURATION, "must be above zero"),
        ("0.0004 s", DURATION, "below one millisecond"),
        ("100 %", FRACTION, "must be below 100 %"),
        ("99.9999999999999999999 %", FRACTION, "must be below 100 %"),
        ("1.1e9 h", DURATION, "must be at most 1000000000 h"),
        ("100.1 %", SHARE, "must be at most 100 %"),
        ("-1 %", SHARE, "must not be negative"),
        (2.1e6, WORK, "the unit is missing"),
        ("0 GPU-h", WORK, "must be above zero"),
        ("2 h", WORK, "(GPU-s, GPU-h, GPU-d, GPU-y)"),
        ("2 gpu-h", WORK, 'did you mean "2 GPU-h"?'),
        ("2 GPU-min", WORK, "(GPU-s, GPU-h, GPU-d, GPU-y)"),
        ("1e12 GPU-h", WORK, "must be at most"),
        ("0.0001 GPU-s", WORK, "below one GPU-millisecond"),
        ("9e99999 h", DURATION, "too large"),
        ("9e999999999 h", DURATION, "out of range"),
        ("1e99999999999999999999 h", DURATION, "out of range"),
        ("0 USD", PER_GPU_HOUR, "must be above zero"),
        ("1e-400 USD", PER_GPU_HOUR, "too small"),
        ("nan h", DURATION, "allowed"),
        ("inf h", DURATION, "allowed"),
        ("1" * 101 + " h", DURATION, "allowed"),
    ],
)
def test_what_is_no_quantity_is_told_in_one_line(value, dimension, words):
    """The message names what was found, what is allowed and the nearest right unit, on one short line."""
    message = why_not(value, dimension)
    assert words in message
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (36 * 720 * MS_PER_H, DURATION, "36 mo"),
        (25_000 * MS_PER_H, DURATION, "25000 h"),
        (90_000, DURATION, "90 s"),
        (1, DURATION, "0.001 s"),
        (0, DURATION, "0 s"),
        (0.07, FRACTION, "7 %"),
        (1.0, SHARE, "100 %"),
        (2_100_000 * MS_PER_H, WORK, "2100000 GPU-h"),
        (1_500, WORK, "1.5 GPU-s"),
        (512_000.0, SIZE, "512000 GiB"),
        (0.0725, PER_GIB_MONTH, "0.0725 USD/GiB/mo"),
        (1e-300, FRACTION, "1E-298 %"),
    ],
)
def test_a_quantity_is_written_in_a_unit_that_people_use(value, dimension, text):
    """What is written is short, and reads back as the same number."""
    assert write(value, dimension) == text
    assert parse(text, dimension) == value


def test_no_unit_is_metres_or_a_calendar_month():
    """The table of times is closed: s, min, h, d, mo, y and nothing else."""
    assert set(DURATION.units) == {"s", "min", "h", "d", "mo", "y"}
    assert units.HOURS_PER_MONTH * 36 != 3 * 8_760
