"""A suggested quantity is the same quantity: no digit, no part of a unit and no currency is ever changed."""

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from dcsim import units
from dcsim.units import (
    DURATION,
    FRACTION,
    LENGTH,
    MONEY,
    MTBF,
    PER_GIB_MONTH,
    PER_GPU_HOUR,
    PER_KWH,
    PER_MONTH,
    POINTS,
    POWER,
    RATE,
    SIZE,
    WORK,
    parse,
    parse_any,
)

DIMENSIONS = [each for each in vars(units).values() if isinstance(each, units.Dimension)]
HINT = re.compile(r'did you mean "(.*?)"\?')
NUMBERS = {  # written -> its value; None: it has more than one reading or none
    "5": "5",
    "2.50": "2.5",
    ".5": "0.5",
    "5.": "5",
    "1_000": "1000",
    "1e3": "1000",
    "1E-2": "0.01",
    "+4": "4",
    "2,50": None,
    "1,000": None,
    "1.000,5": None,
    "1'000": None,
    "1 000": None,
    "1\u2009000": None,
    "1\u00a0000": None,
    "1.5.2": None,
    "1__0": None,
    "5k": None,
    "5M": None,
    "$5": None,
    "\u20ac5": None,
    "1/5": None,
    "1-5": None,
    "5e": None,
    "\u221e": None,
    "inf": None,
    "nan": None,
    "\u0665": None,
    "\u00bd": None,
    "5\u00b2": None,
    "0x5": None,
}
MEANT = {  # written -> the one unit that it means; None: more than one, another dimension, or none
    **{"hours": "h", "Hours": "h", "hr": "h", "H": "h", "days": "d", "sec": "s", "minutes": "min", "MIN": "min"},
    **{"year": "y", "yrs": "y", "months": "mo", "Mo": "mo", "percent": "%", "per cent": "%", "usd": "USD"},
    **{"terabytes": "TB", "tebibyte": "TiB", "TIB": "TiB", "GIB": "GiB", "bytes": "B", "Gbps": "Gb/s", "GBps": "GB/s"},
    **{"kw": "kW", "KW": "kW", "Mw": "MW", "megawatts": "MW", "watts": "W", "w": "W", "Gbit/s": "Gb/s", "Tbps": "Tb/s"},
    **{"GPU-hours": "GPU-h", "GPUh": "GPU-h", "gpu h": "GPU-h", "USD/GPU-hour": "USD/GPU-h", "USD/month": "USD/mo"},
    **{"USD per GPU-h": "USD/GPU-h", "USD/GiB-month": "USD/GiB/mo", "USD/kwh": "USD/kWh", "metres": "m", "KM": "km"},
    **{"percentage points": "pp", "per hour": "/h", "/year": "/y", "% per year": "%/y", "% AFR": "%/y", "FITs": "FIT"},
    **{"tokens": "tok", "Tok": "tok", "tokens per second": "tok/s", "Mtokens/s": "Mtok/s", "usd/Mtok": "USD/Mtok"},
    **{"mtok": None, "USD/mtok": None, "USD/tok": None},
    **{"h^-1": "/h", "h\u207b\u00b9": "/h", "failures per day": "/d", "US$": "USD", "US dollars": "USD"},
    **dict.fromkeys(
        ("m", "M", "k", "K", "T", "G", "tb", "gb", "gib", "Gib", "Tib", "KB", "kb", "Kb", "mb", "mB", "pB")
    ),
    **dict.fromkeys(("mW", "mw", "kWh", "Wh", "kVA", "gbps", "mb/s", "GiB/s", "GB/h", "Mb", "ms", "us", "week")),
    **dict.fromkeys(
        ("EUR", "\u20ac", "$", "GBP", "A$", "cents", "k USD", "kUSD", "M USD", "mUSD", "million USD", "USDT")
    ),
    **dict.fromkeys(("USD/h", "USD/GPU", "USD/GB/mo", "USD/y", "USD/mWh", "USD/kW", "EUR/kWh", "EUR/GPU-h", "ct/kWh")),
    **dict.fromkeys(("GPU", "GPU-min", "node-h", "CPU-h", "h 30 min", "h30m", "h-h", "h/h", "hh", "%%", "% %", "pp/y")),
    **dict.fromkeys(
        ("per 1000 h", "/1000 h", "%/m", "/m", "failures", "AFR", "2 h", "h 2", ":30 h", "cm", "mm", "ft", "x")
    ),
}


def told(text, dimension):
    """The message about a text, or nothing if it is accepted."""
    try:
        parse(text, dimension)
    except PydanticCustomError as error:
        return error.message()
    return ""


def suggested(text, dimension):
    """The text after "did you mean"."""
    found = HINT.search(told(text, dimension))
    return found and found[1]


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda each: each.name.replace(" ", "-"))
@pytest.mark.parametrize("gap", [" ", "", "\u202f"], ids=["space", "none", "narrow"])
def test_a_suggestion_never_changes_the_value(dimension, gap):
    """Every spelling of a number with every unit: the suggestion is the number as it stands and the unit meant."""
    spellings = {**MEANT, **{unit: unit for each in DIMENSIONS for unit in each.spellings}}
    offered = 0
    for number, value in NUMBERS.items():
        for unit, meant in spellings.items():
            text = f"{number}{gap}{unit}"
            if not gap and (number[-1].isalpha() or (number + unit)[len(number) - 1 :][:2].isdecimal()):
                continue  # "5k" and "W" make "5kW", another text
            hint = suggested(text, dimension)
            if hint is None:
                continue
            offered += 1
            assert value is not None, (text, hint)
            assert meant in dimension.spellings, (text, hint)
            digits, _, name = hint.partition(" ")
            assert (Decimal(digits), name) == (Decimal(value), re.sub("^1/|per ", "/", meant).replace(" ", "")), text
            assert parse(hint, dimension) == parse(f"{value} {meant}", dimension)
    assert offered


@settings(max_examples=2_000, derandomize=True, deadline=None)
@given(
    st.from_regex(r"[-+\u2212]?[0-9]{0,4}([.,_' \u2009][0-9]{1,3}){0,2}(e-?[0-9])?", fullmatch=True),
    st.text("hdsminoyGPUSD%/BbWkMTigr- .,0123456789\u20ac$\u00b5", max_size=8),
    st.sampled_from(DIMENSIONS),
)
def test_no_text_is_offered_another_number(number, unit, dimension):
    """Whatever is typed, a suggestion holds the digits that were typed, in their order, and is itself read."""
    text = f"{number} {unit}"
    hint = suggested(text, dimension)
    if hint is not None:
        digits = hint.partition(" ")[0]
        typed = re.sub(r"[_+]", "", text.translate({0x2212: "-"}))
        padded = re.sub(r"(?<!\d)\.(?=\d)", "0.", typed)
        assert padded.replace(" ", "").startswith(digits.replace(" ", ""))
        assert not re.search(r"\d", hint.partition(" ")[2])
        assert len(re.findall(r"\d", hint)) == len(re.findall(r"\d", padded))
        parse(hint, dimension)


@pytest.mark.parametrize(
    ("text", "dimension", "words"),
    [
        ("2,50 USD", MONEY, "write the number with a decimal point and no separators, such as 1234.5"),
        ("USD 2,50", MONEY, "write the number with a decimal point"),
        ("1.000,50 USD", MONEY, "write the number with a decimal point"),
        ("2.50 EUR", MONEY, "prices are in USD; convert other currencies first"),
        ("2.50 EUR/GPU-h", PER_GPU_HOUR, "prices are in USD; convert other currencies first"),
        ("\u20ac4", MONEY, "prices are in USD; convert other currencies first"),
        ("$4", MONEY, "prices are in USD; for US dollars, write USD after the number"),
        ("5k USD", MONEY, "write the number in full or with an exponent, such as 5000 or 5e3"),
        ("5 million USD", MONEY, "write the number in full"),
        ("8 ct/kWh", PER_KWH, "1 cent is 0.01 USD"),
        ("8333 USD", PER_MONTH, "(USD/mo)"),
        ("0.1 USD/GB/mo", PER_GIB_MONTH, "(USD/GiB/mo, USD/TiB/mo)"),
        ("15m", DURATION, '"m" may mean minutes or months; write min or mo'),
        ("1 week", DURATION, "1 week is 7 d"),
        ("500 ms", DURATION, "1 ms is 0.001 s"),
        ("1.5.2 h", DURATION, "write the number with a decimal point and no separators"),
        ("1\u2009000 h", DURATION, "write the number with a decimal point and no separators"),
        ("1h30m", DURATION, "write one number with one unit"),
        ("1-2 h", DURATION, "write one number with one unit"),
        ("1:30:00", DURATION, 'such as "0-01:30:00"'),
        ("\u221e h", DURATION, "the number must be finite"),
        ("\u0663 h", DURATION, "write numbers with the digits 0 to 9"),
        ("\u22121 h", DURATION, "must not be negative"),
        ("-1 hours", DURATION, "must not be negative"),
        ("h", DURATION, "the number is missing"),
        ("150 percent", FRACTION, "too large; must be below 100 %"),
        ("5 \u2030", FRACTION, "1 \u2030 is 0.1 %"),
        ("0.5 %", POINTS, "percentage points are written pp"),
        ("5 Gb", SIZE, "b stands for bits and B for bytes"),
        ("5 KB", SIZE, "1 kB is 1000 B and 1 KiB is 1024 B"),
        ("5 T", SIZE, "the unit of a size ends in B"),
        ("5 kWh", POWER, "kWh is a unit of energy, not of power"),
        ("5 mW", POWER, "1 mW is 0.001 W and 1 MW is 1000000 W"),
        ("400 gbps", RATE, "b stands for bits and B for bytes"),
        ("3 ft", LENGTH, "1 ft is 0.3048 m"),
        ("1 GPU-min", WORK, "1 GPU-min is 60 GPU-s"),
        ("9 %", MTBF, "name the time, as in %/y"),
    ],
)
def test_what_has_no_single_reading_is_explained(text, dimension, words):
    """Instead of a guess the message says what to write, on one short line."""
    message = told(text, dimension)
    assert words in message
    assert "did you mean" not in message
    assert "\n" not in message
    assert len(message) < 300


def test_a_value_of_unknown_dimension_is_offered_itself_only():
    """Uncertain values take any unit; the same holds for their suggestions."""
    for text, words in [
        ("15 minutes", 'did you mean "15 min"?'),
        ("2,50 USD", "write the number with a decimal point"),
        ("2 EUR", 'allowed: a number, or text with a unit such as "15 min"'),
        ("-5 percent", "must not be negative"),
    ]:
        with pytest.raises(PydanticCustomError) as caught:
            parse_any(text)
        assert words in caught.value.message()
