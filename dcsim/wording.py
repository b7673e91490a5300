"""How messages show names and values, and name the nearest thing that is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return '; did you mean "x"?' with the nearest allowed name, upper and lower case alike, or nothing."""
    names = {name.lower(): name for name in allowed}
    near = get_close_matches(found.lower(), names, n=1)
    return f'; did you mean "{names[near[0]]}"?' if near else ""


def shown(value: object) -> str:
    """Return a value on one line of at most 60 characters, whatever it is."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) > 10**60:
        return "a number of more than 60 digits"
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def printable(text: str, longest: int = 40) -> str:
    """Return a name on one line without control characters, cut to ``longest`` characters."""
    clean = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()) or "(no name)"
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
