"""What of a replication a trace shows: a window of time and some of the nodes, read from text."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from dcsim.problems import located, wrong
from dcsim.topology import Topology, TopologyError
from dcsim.units import DURATION, parse, write

Window = tuple[int, int]
"""Half-open range of time from the start of the horizon [ms]."""
LONGEST = 9 * 10**12
"""Where a trace ends at the latest [ms], 285 years: its microseconds stay whole numbers in a browser."""
MOST_TEXT = 1_000
"""Characters of a selection."""


class TraceError(ValueError):
    """A trace cannot be made as it was asked for: ``TraceError([why, ...])``, a line for everything that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Nodes:
    """Some of the GPUs of a cluster. ``text``: as they were chosen; ``spans``: half-open ranges, ascending, apart."""

    text: str
    spans: tuple[tuple[int, int], ...]

    @property
    def gpus(self) -> int:
        """How many they are."""
        return sum(high - low for low, high in self.spans)

    def within(self, low: int, high: int) -> list[tuple[int, int]]:
        """Return the parts of a range that are chosen."""
        return [(max(low, a), min(high, b)) for a, b in self.spans if a < high and b > low]


def window_of(text: str, horizon: int) -> Window:
    """Read a window such as "10 d:12 d", durations from the start of the horizon [ms]; a side left out is its end.

    Raises TraceError.
    """
    allowed = 'allowed: two durations with a colon between them, such as "10 d:12 d"'
    if len(text) > MOST_TEXT:
        raise TraceError([f"window: at most {MOST_TEXT} characters; {allowed}"])
    sides = [(text[:at], text[at + 1 :]) for at, letter in enumerate(text) if letter == ":"]
    if not sides:
        raise TraceError([located("window", wrong(text, allowed))])
    found: list[Window] = []
    why = ""
    for first, last in sides:  # a duration in Slurm's form has colons of its own
        try:
            low = int(parse(first, DURATION)) if first.strip() else 0
            found.append((low, int(parse(last, DURATION)) if last.strip() else min(horizon, LONGEST)))
        except PydanticCustomError as error:
            why = why or error.message()
    if not found:
        raise TraceError([f"window: {why}"])
    low, high = found[0]
    if high > horizon:
        raise TraceError([f"window: ends at {write(high, DURATION)}, after the horizon of {write(horizon, DURATION)}"])
    if high > LONGEST:
        raise TraceError([f"window: ends at {write(high, DURATION)}; at most {write(LONGEST, DURATION)}"])
    if low >= high:
        raise TraceError([f"window: begins at {write(low, DURATION)} and ends at {write(high, DURATION)}"])
    return low, high


def nodes_of(text: str, topology: Topology) -> Nodes:
    """Read nodes such as "rack/3,rack/7-9" or "node/12": parts that hold GPUs or serve some, by their addresses.

    Raises TraceError with a line for each part that is wrong.
    """
    if len(text) > MOST_TEXT:
        raise TraceError([f"nodes: at most {MOST_TEXT} characters"])
    found: list[tuple[int, int]] = []
    problems: list[str] = []
    for address in text.split(","):
        try:
            found.append(_span(address.strip(), topology))
        except TopologyError as error:
            problems += [f"nodes: {line}" for line in error.problems]
    if problems:
        raise TraceError(problems)
    spans: list[tuple[int, int]] = []
    for low, high in sorted(found):
        if spans and low <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(high, spans[-1][1])
        else:
            spans.append((low, high))
    return Nodes(text, tuple(spans))


def _span(address: str, topology: Topology) -> tuple[int, int]:
    """Return the GPUs of an address whose last number may be a range."""
    above, slash, numbers = address.rpartition("/")
    first, dash, last = numbers.partition("-")
    if not dash:
        return topology.span(*topology.find(address))
    low, high = (topology.find(f"{above}{slash}{number}") for number in (first, last))
    if low[1] > high[1]:
        raise TopologyError([wrong(address, "its range begins with the higher number")])
    return topology.span(*low)[0], topology.span(*high)[1]
