"""How messages show names and values, and name the nearest thing that is allowed."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any
from unicodedata import category

MOST_NAMED = 5
"""Names that one suggestion lists; source: assumed, what a reader takes in at a glance."""
LONGEST_NAME = 60
"""Longest name that is suggested; source: assumed, a longer one would drown the message."""
_SHORTEST_PART = 3
_SHORTEST_ABBREVIATION = 2


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return '; did you mean "x"?' with the nearest allowed names, as they are written, or nothing."""
    return offered(nearest(found, allowed))


def offered(near: Sequence[str]) -> str:
    """Return '; did you mean "x" or "y"?', of many the first and how many more there are; nothing for none."""
    if not near:
        return ""
    *others, last = [f'"{name}"' for name in near[:MOST_NAMED]]
    more = len(near) - MOST_NAMED
    if more > 0:
        return f"; did you mean {', '.join([*others, last])} or {f'one of {more} more' if more > 1 else 'one more'}?"
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def nearest(found: str, allowed: Iterable[str]) -> list[str]:
    """Return the allowed names that a wrong one may stand for, in their order; [] where none is near.

    The first of these that holds for any name decides: the same letters and digits; whole words of the name, in the
    order in which they stand there, its beginning first; the beginnings of its words; a part of it, or it a part; an
    abbreviation of its words or their initials; else few changed letters. Upper and lower case are alike.
    """
    names = [name for name in dict.fromkeys(allowed) if len(name) <= LONGEST_NAME]
    flat, words = _flat(found), _words(found)
    if not flat:
        return []
    ranks = {name: _rank(flat, words, name) for name in names}
    best = min((rank for rank in ranks.values() if rank is not None), default=None)
    if best is not None:
        return [name for name in names if ranks[name] == best]
    close: dict[str, list[str]] = defaultdict(list)
    for name in names:
        close[name.lower()].append(name)
    if near := get_close_matches(found.lower(), close, n=1):
        return close[near[0]]
    return [name for name in names if len(flat) >= _SHORTEST_ABBREVIATION and _abbreviates(flat, words, name)]


def _rank(flat: str, words: Sequence[str], name: str) -> int | None:
    """Return how well a name agrees with a text, 0 best, as ``nearest`` lists it; None where it does not."""
    own, inside = _flat(name), _words(name)
    long = min(map(len, words)) >= _SHORTEST_PART
    agrees = (
        own == flat,
        inside[: len(words)] == list(words),
        _in_order(words, inside, str.__eq__),
        len(flat) >= _SHORTEST_PART and own.startswith(flat),
        long and _in_order(words, inside, _begins),
        len(own) > _SHORTEST_PART and _in_order(inside, words, str.__eq__),
        len(flat) > _SHORTEST_PART and flat in own,
    )
    return next((rank for rank, holds in enumerate(agrees) if holds), None)


def columns(names: Iterable[str], width: int = 80) -> list[str]:
    """Return many names as lines of at most ``width`` signs, those of one folder after one another."""
    folders: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folder, slash, last = name.rpartition("/")
        folders[folder + slash].append(last)
    lines = []
    for folder, members in folders.items():
        line = f"  {folder}"
        for number, member in enumerate(members):
            part = member + ("," if number + 1 < len(members) else "")
            if len(line) + 1 + len(part) > width:
                lines.append(line)
                line = "   "
            line += f" {part}"
        lines.append(line)
    return lines


def _flat(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _begins(part: str, word: str) -> bool:
    return word.startswith(part)


def _in_order(parts: Sequence[str], words: Sequence[str], fits: Callable[[str, str], bool]) -> bool:
    """Whether each part fits a word of its own, and they stand in the same order."""
    rest = iter(words)
    return bool(parts) and all(any(fits(part, word) for word in rest) for part in parts)


def _abbreviates(flat: str, words: Sequence[str], name: str) -> bool:
    """Whether a text is the initials of a name's words, or short forms of some of them: ft, ckpt, chkpt-rst."""
    inside = _words(name)
    if flat == "".join(word[0] for word in inside):
        return True
    return min(map(len, words)) >= _SHORTEST_PART and _in_order(words, inside, _shortens)


def _shortens(part: str, word: str) -> bool:
    letters = iter(word[1:])
    return part[0] == word[0] and all(sign in letters for sign in part[1:])


def shown(value: object) -> str:
    """Return a value on one line of at most 60 characters, whatever it is."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) > 10**60:
        return "a number of more than 60 digits"
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def unlike_formula(text: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def visible(text: str, kept: str = "") -> str:
    """Return a text whose control characters are shown: ESC as \\x1b, a right-to-left override as \\u202e.

    So are other signs that do not print, such as lone surrogates. ``kept``: signs that stay as they are. Done twice it
    changes nothing more.
    """
    if text.isprintable():
        return text
    return "".join(sign if _is_plain(sign) or sign in kept else repr(sign)[1:-1] for sign in text)


def _is_plain(sign: str) -> bool:
    return sign.isprintable() or category(sign) == "Zs"


def printable(text: str, longest: int = 40) -> str:
    """Return a name on one line, its control characters shown, cut to ``longest`` characters."""
    clean = visible(" ".join(text.split())) or "(no name)"
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def written(value: Any) -> str:
    """Return a value on one line: text as it is, tables as ``kind weibull, mean 25000 h``, lists in brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {written(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(written, value)) if value else "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def counted(count: int, word: str) -> str:
    """Return a count with its word: "1 host", "1,200 hosts"."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
