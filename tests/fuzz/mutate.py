"""Inputs made wrong: operations on bytes and on the values of a TOML file, each written as three whole numbers.

A list of such operations says all of a mutation, so that hypothesis can shrink it and a seed can repeat it.
"""

import datetime
import math
import tomllib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import tomli_w

Op = tuple[int, int, int]
"""What is done, where, with what; every number fits: each is taken modulo how many choices there are."""

PIECES = (
    b"", b"\0", b"\n", b"\r\n", b"\t", b'"', b"'", b'"""', b"=", b"[", b"]", b"[[", b"{", b"}", b",", b"#", b".", b"-",
    b"9" * 40, b"1e309", b"nan", b"inf", b"-1", b"0", b"true", b"\xff\xfe", b"\xef\xbb\xbf", "\u202e".encode(),
    b"\x1b[31m", "\u00e9".encode(), b"\xed\xa0\x80", b"a" * 5000, b"[" * 2000, b"[a-", b"[0-999999999]", b"n[001-004]",
    b"Nodes=ALL", b"Switches=", b"SwitchName=x", b"extends = ", b"1970-01-01", b"%", b"../..", b"/dev/zero",
)  # fmt: skip
"""What stands in the way of readers of text and of bytes."""

VALUES: tuple[Any, ...] = (
    "", " ", "x", "0 s", "1 ms", "-5 min", "1 h", "25000 h", "1e300 y", "1e-300 s", "999999999999 y", "50 %", "101 %",
    "-1 %", "1e400 h", "5", "5 parsecs", "nan h", "inf", "0.001 /h", "500 FIT", "9 %/y", "-9 %/y", "1 USD", "-1 USD",
    "1 EUR", "1 kW", "-1 kW", "800 Gb/s", "0 Gb/s", "gpu", "node", "rack", "optics", "leaf", "\x1b]0;x\x07", "\u202e",
    "a" * 3000, "\n", "../../../etc/passwd", "/dev/zero", ".", "hgx-h100", "gb300-nvl72", "2026-01-01", "weibull",
    -1, 0, 1, 2, 3, 7, 64, 1000, 10**6, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30,
    0.0, -0.0, 0.5, 1.0, 1e-320, 1e308, -1.5, math.nan, math.inf, True, False,
    [], [[]], {}, [{}], [1, 2, 3], ["a", "b"], [0] * 300, {"kind": "weibull"}, {"kind": "trace", "file": "x.csv"},
    {"kind": "exponential", "mean": "5 h"}, {"low": "1 h", "high": "2 h"}, {"time": "1 h"}, {"name": "x"},
    datetime.date(2026, 1, 1), datetime.time(1, 2), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
)  # fmt: skip
"""What a key may hold that it should not, or just so."""


MOST_PLACES = 20_000
"""Values of a file beyond which no list is repeated: repeated in one another, lists would fill the memory."""


def bytes_changed(content: bytes, ops: Sequence[Op], others: Sequence[bytes]) -> bytes:
    """Change bytes: flip, cut, repeat, put pieces in, splice in a stretch of another input."""
    for what, where, with_what in ops:
        at = where % (len(content) + 1)
        match what % 8:
            case 0 | 1:
                content = content[:at] + PIECES[with_what % len(PIECES)] + content[at:]
            case 2:
                content = (
                    content[: at - 1] + bytes([content[at - 1] ^ 1 << with_what % 8]) + content[at:] if at else b""
                )
            case 3:
                content = content[:at] + content[at + with_what % 40 :]
            case 4:
                content = content[:at]
            case 5:
                lines = content.splitlines(keepends=True)
                if lines:
                    line = lines[where % len(lines)]
                    lines.insert(with_what % len(lines), line)
                    content = b"".join(lines)
            case 6:
                lines = content.splitlines(keepends=True)
                if lines:
                    del lines[where % len(lines)]
                    content = b"".join(lines)
            case _:
                other = others[with_what % len(others)]
                start = where % (len(other) + 1)
                content = content[:at] + other[start : start + 80] + content[at:]
    return content


def values_changed(text: str, ops: Sequence[Op], keys: Sequence[str]) -> str:
    """Change values of a TOML file: other types, extremes, keys renamed, removed, added, lists repeated."""
    data = tomllib.loads(text)
    for what, where, with_what in ops:
        if not (places := list(islice(_places(data), MOST_PLACES))):
            break
        holder, key = places[where % len(places)]
        value = VALUES[with_what % len(VALUES)]
        match what % 10:
            case 0 | 1 | 2:
                holder[key] = value
            case 3 if isinstance(holder, dict):
                del holder[key]
            case 4 if isinstance(holder, dict):
                holder[keys[with_what % len(keys)]] = holder.pop(key)
            case 5 if isinstance(holder, dict):
                holder[keys[with_what % len(keys)]] = VALUES[what // 10 % len(VALUES)]
            case 6:
                other, its = places[with_what % len(places)]
                holder[key], other[its] = other[its], holder[key]
            case 7 if isinstance(holder[key], list) and len(places) * (with_what % 40) <= MOST_PLACES:
                holder[key] = holder[key] * (with_what % 40)
            case 8 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
                holder[key] = (holder[key] * 1000, holder[key] + 1, holder[key] - 1, -holder[key])[with_what % 4]
            case _:
                holder[key] = [holder[key]]
    try:
        return tomli_w.dumps(data)
    except (RecursionError, ValueError):  # a list in itself, after a swap
        return text


def _places(data: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield (holder, key) of every value in a tree."""
    items = list(data.items() if isinstance(data, dict) else enumerate(data))
    for key, value in items:
        yield data, key
        if isinstance(value, dict | list) and depth < 12:
            yield from _places(value, depth + 1)
