"""The reference's replay of a record of outages, row by row: traces of one record share one beginning."""

from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.scenario import Scenario
from dcsim.streams import generator


def replayed(scenario: Scenario, number: int, replication: int) -> list[tuple[int, int]]:
    """Return (time [ms], row of the record) of the failures of a hazard whose trace says its span, in order."""
    hazard = scenario.hazards[number]
    trace = hazard.mtbf
    assert isinstance(trace, TraceLifetime)
    assert trace.at is not None
    assert trace.span is not None
    offset = 0
    if trace.start == "random":
        owner = f"record {trace.record}" if trace.record else hazard.name
        offset = int(generator(scenario.seed, replication, owner, "start").random() * trace.span)
    lap = [(at - offset if at >= offset else at - offset + trace.span, row) for row, at in enumerate(trace.at)]
    found, begin = [], 0
    while begin < scenario.horizon and (trace.repeat or begin == 0):
        found += [(begin + at, row) for at, row in lap if begin + at < scenario.horizon]
        begin += trace.span
    return sorted(found)
