"""Lines that say what is wrong: where, what was found, what is allowed, and the nearest right name."""

from collections.abc import Iterable

from dcsim.wording import did_you_mean, nearest, shown


def located(*parts: str) -> str:
    """Join where a problem is, from the outside in, and what it is; empty parts are left out."""
    return ": ".join(filter(None, parts))


def wrong(found: object, must: str) -> str:
    """Return 'found 7; must be text': ``must`` says what is allowed instead."""
    return f"found {shown(found)}; {must}"


def not_one_of(
    allowed: Iterable[str], found: object, told: str | None = None, also: Iterable[str] = (), hint: str | None = None
) -> str:
    """Return 'found 'goald'; allowed: gold, silver; did you mean "gold"?'.

    ``told``: what stands for 'found ...'. ``also``: what is allowed and is no name, so is never suggested. ``hint``:
    what stands for the nearest allowed name, which only text has.
    """
    names = list(allowed)
    if hint is None:
        hint = did_you_mean(found, names) if isinstance(found, str) else ""
    return f"{told or f'found {shown(found)}'}; allowed: {', '.join([*names, *also])}{hint}"


def unknown_key(key: str, allowed: Iterable[str], hint: str | None = None) -> str:
    """Return what is wrong with a key that there is not; ``hint``: what stands for the nearest allowed name."""
    return not_one_of(allowed, key, "unknown key", hint=hint)


def is_misspelt(key: str, unknown: Iterable[str]) -> bool:
    """Whether one of the unknown keys beside it stands for a missing key: that is one mistake and has one line."""
    return any(nearest(each, [key]) for each in unknown)
