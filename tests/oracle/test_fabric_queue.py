"""The M/D/1 factor against a queue in SimPy: Poisson arrivals, one server, fixed service, packet by packet."""

from collections import deque
from collections.abc import Callable, Generator
from functools import cache

import numpy as np
import pytest
import simpy
from numpy.typing import NDArray

from dcsim.fabric import md1_factor
from tests.oracle.agreement import Comparison, objections

# Packets that count, after as many again in which the queue forgets that it began empty: it does within about
# 1 / (1 - sqrt(rho))^2 services, 5 at 0.3 and 380 at 0.9.
PACKETS = {0.3: 1_500, 0.6: 2_000, 0.8: 3_000, 0.9: 6_000}
RUNS = 32
LARGEST_ERROR = 0.04  # of the mean, at 0.9; the planted errors differ by more


def time_in_system(rho: float, packets: int, rng: np.random.Generator) -> float:
    """Return the mean time in the system of ``packets`` packets after as many others; the service takes 1."""
    env = simpy.Environment()
    gaps = rng.exponential(1 / rho, 2 * packets).tolist()
    queue: deque[float] = deque()
    spent: list[float] = []
    idle: list[simpy.Event] = []

    def arrivals() -> Generator[simpy.Event, None, None]:
        for gap in gaps:
            yield env.timeout(gap)
            queue.append(env.now)
            if idle:
                idle.pop().succeed()

    def server() -> Generator[simpy.Event, None, None]:
        while len(spent) < len(gaps):
            if not queue:
                idle.append(env.event())
                yield idle[0]
            arrived = queue.popleft()
            yield env.timeout(1)
            spent.append(env.now - arrived)

    env.process(arrivals())
    env.run(env.process(server()))
    return float(np.mean(spent[packets:]))


@cache
def simulated(rho: float) -> NDArray[np.float64]:
    """Simulate independent replications once for all tests, float64 (RUNS,)."""
    seeds = np.random.SeedSequence(round(rho * 10)).spawn(RUNS)
    return np.array([time_in_system(rho, PACKETS[rho], np.random.default_rng(seed)) for seed in seeds])


def comparisons(formula: Callable[[float], float]) -> list[Comparison]:
    """Return simulated time over that of a formula, for every load."""
    return [Comparison(f"rho {rho}", simulated(rho) / formula(rho), 1.0) for rho in PACKETS]


def test_packets_wait_as_long_as_the_factor_says():
    """Mean time in system over service time, from packets, within 4 standard errors at each load and all together."""
    found = comparisons(md1_factor)
    print(*found, sep="\n")
    assert objections(found, LARGEST_ERROR) == []


@pytest.mark.parametrize(
    "formula",
    [
        lambda rho: 1 / (1 - rho),  # M/M/1, which is also 1 + rho / (1 - rho), without the 2
        lambda rho: 1 + rho / (2 * (1 - rho) ** 2),
        lambda rho: 1 + rho**2 / (2 * (1 - rho)),  # packets, not time
        lambda rho: 1 + rho / 2 / (1 - rho / 2),
        lambda rho: rho / (2 * (1 - rho)),  # waiting only
    ],
)
def test_wrong_formulas_are_rejected(formula):
    """The same rule objects to other queues' formulas."""
    assert objections(comparisons(formula), np.inf)


def test_the_factor_stops_at_its_highest_load():
    """At 0.95 and beyond it is 1 + 0.95/0.1 = 10.5; without load, 1."""
    assert [md1_factor(rho) for rho in (0.0, 0.95, 1.0, 7.0)] == pytest.approx([1, 10.5, 10.5, 10.5])
