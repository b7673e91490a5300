"""The batch engine: many replications together, their accounts identical to those of ``dcsim.engine``.

All random numbers of a block of replications are drawn at once; one compiled loop lets the failures strike
(``replay``), and notes only how long each gang ran until what; what a strategy makes of all these stretches is its own
arithmetic on arrays (``block``). SimPy is not imported.
"""

from collections.abc import Sequence

from dcsim.ledger import Ledgers
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.countable import needs_more
from dcsim.scenario.plan import plan

MOST_FAILURES = 15_000
"""Expected failures that are worked at a time: some 5 MB (measured: neither fewer nor more is quicker)."""


def objections(scenario: Scenario) -> tuple[str, ...]:
    """Return why the batch engine cannot simulate a scenario exactly, in words; () if it can."""
    from importlib.util import find_spec

    missing = () if find_spec("numba") else ("numba is not installed",)
    return (*missing, *needs_more(plan(scenario)))


def simulate_many(scenario: Scenario, numbers: Sequence[int]) -> Ledgers:
    """Simulate these replications, ascending; the ledgers are verified to conserve N * H exactly.

    Each depends on (scenario, its number) alone. Raises ValueError for a scenario with ``objections``.
    """
    from dcsim.batch.block import keep_memory, simulate_block
    from dcsim.batch.layout import Layout

    against = objections(scenario)
    if against:
        raise ValueError("; ".join(against))
    keep_memory()
    layout = Layout.of(plan(scenario))
    size = block_size(layout.plan)
    parts = [simulate_block(layout, numbers[start : start + size]) for start in range(0, len(numbers), size)]
    return Ledgers.joined(parts).verified(scenario.capacity_gpu_ms)


def compile_ahead() -> None:
    """Compile the loop now, or load it, so that no run has to wait for it; nothing if numba is missing."""
    hazard = {"component": "gpu", "mtbf": "1 h", "blast": 1}
    jobs = [{"name": "a", "gpus": 4, "recovery": {"kind": "stateless"}}]
    cluster = {"topology": "hgx-h100", "gpus": 8}
    document = {"name": "least", "horizon": "1 s", "cluster": cluster, "jobs": jobs, "hazards": [hazard]}
    scenario = Scenario.model_validate(document)
    if not objections(scenario):
        simulate_many(scenario, [0])


def block_size(prepared: Plan) -> int:
    """Return how many replications are worked at a time."""
    expected = sum(
        prepared.scenario.horizon * prepared.components(hazard) / hazard.lifetime.mean_ms
        for hazard in prepared.scenario.hazards
    )
    return max(1, min(1024, round(MOST_FAILURES / max(expected, 1))))
