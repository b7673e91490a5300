"""Slurm hostlist expressions such as ``tux[0-3,12],dev1``: the names that they stand for."""

import re

EXAMPLE = "tux[0-3,12],dev1"

_RANGE = re.compile(r"(?<=[\[,])([0-9]+)-([0-9]+)(?=[],])")


class HostlistError(ValueError):
    """What a hostlist must be: the part of an error line that follows "found ...;"."""


class TooManyNames(HostlistError):
    """A hostlist stands for more names than are allowed."""


def expand(hostlist: str, most: int) -> tuple[str, ...]:
    """Return the names of a hostlist in natural order (n2 before n10), each once.

    ``most``: how many names are allowed; they are counted before they are made. Raises HostlistError.
    """
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

    # ClusterShell reads more than Slurm does: groups, steps, negative numbers and set operations.
    if not re.fullmatch(r"(?!.*[\[,]-)[A-Za-z0-9_.,\[\]-]+", hostlist):
        raise HostlistError(f"must be a hostlist like {EXAMPLE}")
    if not _size(hostlist) <= most:  # so that a size beyond floats is refused too
        raise TooManyNames(f"allowed: {most} names")
    try:
        return tuple(NodeSet(_RANGE.sub(_same_width, hostlist), resolver=RESOLVER_NOGROUP))
    except (NodeSetException, ValueError, AssertionError) as error:  # numbers of more digits than Python, or it, reads
        raise HostlistError(f"must be a hostlist like {EXAMPLE}: {error!s:.200}") from None


def natural(name: str) -> tuple[tuple[str, int, str, str], ...]:
    """Return the key that sorts names as people count: n2 before n10, n02 just before n2."""
    found = []
    for text, digits in re.findall(r"([^0-9]*)([0-9]*)", name):
        value = digits.lstrip("0")
        found.append((text, len(value), value, digits))
    return tuple(found)


def _size(hostlist: str) -> float:
    """How many names a hostlist has at most, found without making them."""

    def numbers(bracket: str) -> float:
        ranges = _RANGE.findall(f"[{bracket}]")
        return bracket.count(",") + 1 + sum(float(high) - float(low) for low, high in ranges)

    total, names = 0.0, 1.0
    for found in re.finditer(r"\[([^\[\]]*)\]|,", hostlist):
        if found[1] is None:
            total, names = total + names, 1.0
        else:
            names *= numbers(found[1])
    return total + names


def _same_width(match: re.Match[str]) -> str:
    """Slurm pads to the width of the range's start, 01-100 included; ClusterShell wants 01-99,100-100."""
    low, high = match.groups()
    if not (low.startswith("0") and len(low) < len(high)) or high.startswith("0"):
        return match[0]
    parts = [f"{low}-{'9' * len(low)}"]
    parts += [f"1{'0' * (width - 1)}-{'9' * width}" for width in range(len(low) + 1, len(high))]
    return ",".join([*parts, f"1{'0' * (len(high) - 1)}-{high}"])
