"""How people write quantities: the same value spelled as the program reads it, or why the text cannot be read.

A respelling keeps every digit and the meaning of the unit. Where a text has two readings (``15 m``: minutes or months;
``1,000``: a thousand or one; ``mW``: milli or mega) there is none, and a remark says what to write instead.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache

_SIGNS = str.maketrans({"\u2212": "-", "\u2012": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", "\uff0b": "+"})
_INVISIBLE = re.compile(r"[\u200b\u2060\ufeff]")
_NUMBER = re.compile(r"([+-]?)(\d+(?:_\d+)*)?(?:(\.)(\d+(?:_\d+)*)?)?([eE][+-]?\d+)?", re.ASCII)
_DOLLARS_FIRST = re.compile(r"(?:USD|US ?\$)\s*([\d.+-][\d.]*(?:[eE][+-]?\d+)?)(?![\d,.'_ ]*\d)(.*)", re.IGNORECASE)
_TIMES = {
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "mo": "mo mos month months",
    "y": "y yr yrs year years annum",
}
_ANY_CASE = {
    **{spelling: unit for unit, spellings in _TIMES.items() for spelling in spellings.split()},
    **{f"{word}{plural}": unit for word, unit in (("gpu", "GPU"), ("watt", "W")) for plural in ("", "s")},
    **{"usd": "USD", "us$": "USD", "percent": "%", "pct": "%", "pp": "pp", "fit": "FIT", "fits": "FIT", "w": "W"},
    **dict.fromkeys(("kw", "kilowatt", "kilowatts"), "kW"),
    **dict.fromkeys(("gw", "gigawatt", "gigawatts"), "GW"),
    **{"megawatt": "MW", "megawatts": "MW", "kwh": "kWh", "gpuh": "GPU-h", "gpuhour": "GPU-h", "gpuhours": "GPU-h"},
    **{f"{name}{end}{plural}": "m" for name in ("met",) for end in ("er", "re") for plural in ("", "s")},
    **{f"kilomet{end}{plural}": "km" for end in ("er", "re") for plural in ("", "s")},
    **{"km": "km", "byte": "B", "bytes": "B"},
    **dict.fromkeys(("tok", "token", "tokens"), "tok"),
    **{
        f"{prefix}{word}{plural}": f"{letter}{short}"
        for prefix, letter in (("kilo", "k"), ("mega", "M"), ("giga", "G"), ("tera", "T"), ("peta", "P"))
        for word, short in (("byte", "B"), ("bit", "b"))
        for plural in ("", "s")
    },
    **{
        f"{prefix}byte{plural}": f"{letter}iB"
        for prefix, letter in (("kibi", "K"), ("mebi", "M"), ("gibi", "G"), ("tebi", "T"), ("pebi", "P"))
        for plural in ("", "s")
    },
}
"""Spellings that mean one unit in whatever case."""
_EXACT = {
    **{unit: unit for unit in ("B", "kB", "MB", "GB", "TB", "PB", "Mb", "Gb", "Tb", "MW", "MWh", "m", "%", "1")},
    **{f"{letter}{word}": f"{letter}tok" for letter in "kMG" for word in ("tok", "Tok", "token", "tokens")},
    **{"Mw": "MW", "MWH": "MWh", "Mwh": "MWh", "gB": "GB", "tB": "TB", "\uff05": "%", "a": "y"},
    **{f"{letter}bit{plural}": f"{letter}b" for letter in "MGT" for plural in ("", "s")},
    **{f"{letter}{i}B": f"{letter.upper()}iB" for letter in "KMGTPkmgtp" for i in "iI"},
}
"""Spellings that mean one unit in this case only: b is bits and B bytes, m is milli and M mega."""
_NOUNS = {"failure", "failures", "fault", "faults", "event", "events", "time", "times"}
_PHRASES = (
    (re.compile(r"per\s+cent(?!\w)", re.IGNORECASE), "%"),
    (re.compile(r"percentage[\s-]+points?", re.IGNORECASE), "pp"),
    (re.compile(r"US[\s-]+dollars?", re.IGNORECASE), "USD"),
    (re.compile(r"US ?\$", re.IGNORECASE), "USD"),
    (re.compile(r"(?:%|percent)\s*(?:AFR|p\.\s?a\.?|annually)", re.IGNORECASE), "%/y"),
    (re.compile(r"([MGT])([bB])ps"), r"\1\2/s"),
    (re.compile(r"([A-Za-z]+)\s*(?:\^\s?-1|\u207b\u00b9)"), r"/\1"),
    (re.compile(r"(^|\W)per\s+", re.IGNORECASE), r"\1/"),
)

_Key = tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]


def plain_signs(text: str) -> str:
    """Return text with ordinary minus signs and spaces, nothing invisible, and no space around it."""
    return " ".join(_INVISIBLE.sub("", text).translate(_SIGNS).split())


def respelled(text: str, units: Iterable[str]) -> str | None:
    """Return the same number with the same unit as ``units`` spell it; None where the text has not just one reading."""
    text = plain_signs(text)
    if dollars := _DOLLARS_FIRST.fullmatch(text):
        text = f"{dollars[1]} USD{dollars[2]}"
    number = _NUMBER.match(text)
    if number is None or not (number[2] or number[4]):
        return None
    key = _key(text[number.end() :].strip())
    unit = next((each for each in units if key is not None and _key(each) == key), None)
    sign, whole, _, decimals, exponent = (part or "" for part in number.groups())
    digits = f"{whole or '0'}{'.' if decimals else ''}{decimals}".replace("_", "")
    return None if unit is None else f"{sign}{digits}{exponent} {unit}"


@lru_cache(maxsize=1024)
def _key(unit: str) -> _Key | None:
    """Return what a unit is made of, above and below the line; None where a part of it is not known."""
    for phrase, plain in _PHRASES:
        unit = phrase.sub(plain, unit)
    above, *below = (_atoms(part) for part in unit.split("/"))
    if not unit or above is None or any(part is None or not part for part in below) or not (above or below):
        return None
    lower = Counter(atom for part in below for atom in part or ())
    return tuple(sorted(Counter(above).items())), tuple(sorted(lower.items()))


def _atoms(part: str) -> list[str] | None:
    found = []
    for word in re.split(r"[\s*\u00b7\u22c5-]+", part.strip()):
        atom = _EXACT.get(word) or _ANY_CASE.get(word.lower())
        if atom is None and word and word.lower() not in _NOUNS:
            return None
        found += (atom or "").split("-")
    return [atom for atom in found if atom not in ("", "1")]


# --- why a text cannot be read ----------------------------------------------------------------------------------------

_EQUALS = {
    **{"ms": "1 ms is 0.001 s", "us": "1 us is 0.000001 s", "\u00b5s": "1 \u00b5s is 0.000001 s"},
    **dict.fromkeys(("week", "weeks", "wk", "wks", "w"), "1 week is 7 d"),
    **{"kh": "1 kh is 1000 h", "cm": "1 cm is 0.01 m", "mm": "1 mm is 0.001 m"},
    **dict.fromkeys(("ft", "feet", "foot"), "1 ft is 0.3048 m"),
    **{"gpu-min": "1 GPU-min is 60 GPU-s", "gpu-mo": "1 GPU-mo is 720 GPU-h"},
    **{"\u2030": "1 \u2030 is 0.1 %", "bp": "1 basis point is 0.01 %", "ppm": "1 ppm is 0.0001 %"},
    **dict.fromkeys(("cent", "cents", "ct", "cts", "¢"), "1 cent is 0.01 USD"),
    **{"mw": "1 mW is 0.001 W and 1 MW is 1000000 W", "kb": "1 kB is 1000 B and 1 KiB is 1024 B"},
}
"""What units are worth that are not read; looked up in lower case."""
_MAGNITUDE = re.compile(r"(?:k|m|mn|mio|b|bn|million|billion|thousand)(?:(?=USD|\$|$)|\s)", re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?\s*(?:\u221e|inf(?:inity)?\b|nan\b)", re.IGNORECASE)
_SEPARATED = re.compile(r"\d ?[,'\u2019] ?\d")
_SEVERAL = re.compile(r".*[A-Za-z%]\s*[+-]?\d|(?:-|~|/|to\b|in\b|per\b)\s*\d", re.IGNORECASE)


def remark(text: str, units: Collection[str]) -> str:
    """Return one clause on why a text is none of the ``units`` with a number, or nothing if there is nothing to add."""
    text = plain_signs(text)
    if _NOT_FINITE.match(text):
        return "the number must be finite"
    if any(sign.isnumeric() and not sign.isascii() for sign in text):
        return "write numbers with the digits 0 to 9"
    if "h" in units and re.search(r"\d:\d", text):
        return 'with colons, write days-hours:minutes:seconds, such as "0-01:30:00"'
    number = _NUMBER.match(text)
    rest = text[number.end() :].strip() if number else text
    low = rest.lower()
    if _SEPARATED.search(text) or rest[:1] in tuple("0123456789.,'\u2019_"):
        return "write the number with a decimal point and no separators, such as 1234.5"
    if _SEVERAL.match(rest):
        return "write one number with one unit" + ', such as "0.001 /h"' * ("/h" in units)
    if text == rest and respelled(f"1 {rest}", units):
        return "the number is missing"
    if re.fullmatch(r"(?:.*[/\s])?m", low) and any(unit.endswith(("h", "mo")) for unit in units):
        return f'"{rest}" may mean minutes or months; write min or mo'
    equal = _EQUALS.get(low.partition("/")[0] if _priced(units) else low, "")
    if equal and ("USD" not in equal or _priced(units)):
        return equal
    if _MAGNITUDE.match(rest) and not {"m", "B"} & set(units):
        return "write the number in full or with an exponent, such as 5000 or 5e3"
    if _priced(units) and not low.startswith("usd") and (rest or text == rest):
        dollars = "; for US dollars, write USD after the number" if "$" in text else "; convert other currencies first"
        return f"prices are in USD{dollars}"
    return _of_unit(rest, units)


def _priced(units: Collection[str]) -> bool:
    return any(unit.startswith("USD") for unit in units)


def _of_unit(rest: str, units: Collection[str]) -> str:
    low = rest.lower()
    if rest == "%":
        return "name the time, as in %/y" if "%/y" in units else "percentage points are written pp" * ("pp" in units)
    if "W" in units and low.endswith(("wh", "w-h")):
        return f"{rest} is a unit of energy, not of power"
    if "B" in units and low in ("k", "m", "g", "t", "p"):
        return "the unit of a size ends in B, for bytes"
    bits = r"[kmgtp]?i?b(?:its?)?" if "B" in units else r"[kmgt]?i?b(?:its?)?(?:ps|/s)?"
    if {"B", "GB/s"} & set(units) and "B" not in rest and re.fullmatch(bits, low):
        return "b stands for bits and B for bytes"
    return ""
