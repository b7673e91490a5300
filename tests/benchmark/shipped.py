"""What a failure costs in each shipped scenario by the compiled clock, in bare env.timeouts (`scripts/bench`)."""

import gc
import time
from collections.abc import Callable
from typing import Any

from dcsim.engine.compiled_clock import play
from dcsim.program.program import Program
from dcsim.scenario import certain, load
from dcsim.shipped import shipped_files

PLAIN_GATE, PLAIN_AIM = 5, 2
PLANT_GATE, PLANT_AIM = 40, 15
"""Bare env.timeouts a failure, without and with a plant, storage or fabric."""
LEAST_SECONDS, MOST_RUNS = 0.03, 512
"""Runs are doubled until they take so long (assumed), or are so many."""


def measure(timeout: Callable[[], float]) -> list[dict[str, Any]]:
    """Return the cost of a failure of every shipped scenario, CPU time of one core; ``timeout``: of one [s], now."""
    found = []
    for name, path in sorted(shipped_files("scenarios").items()):
        program = Program(certain(load(path)))
        play(program, range(1), True)  # what is loaded or laid out once
        count = 1
        while True:
            gc.collect()
            before = time.process_time()
            ledgers = play(program, range(count), True).ledgers()
            spent = time.process_time() - before
            if spent >= LEAST_SECONDS or count >= MOST_RUNS:
                break
            count *= 2
        failures = int(ledgers.failures.sum())
        plant = program.plan.has_plant
        found.append(
            {
                "scenario": name,
                "plant": plant,
                "runs": count,
                "failures": failures,
                "microseconds": spent / max(1, failures) * 1e6,
                "timeouts": spent / max(1, failures) / timeout(),
                "gate": PLANT_GATE if plant else PLAIN_GATE,
            }
        )
    return found


def lines(costs: list[dict[str, Any]]) -> list[str]:
    """Return what is printed: the dearest first, with a mark for a gate that is missed."""
    missed = [each for each in costs if each["timeouts"] > each["gate"]]
    head = (
        f"a failure of each shipped scenario in bare env.timeouts; gates: {PLAIN_GATE} (aim {PLAIN_AIM}), with a "
        f"plant, storage or fabric {PLANT_GATE} (aim {PLANT_AIM}); {len(missed)} of {len(costs)} missed"
    )
    rows = [
        f"  {each['scenario']:<42}{each['timeouts']:>8.2f}{each['microseconds']:>10.2f} us"
        f"{'  plant' if each['plant'] else '':<7}{'  MISSED' if each in missed else ''}"
        for each in sorted(costs, key=lambda each: (each["plant"], -each["timeouts"]))
    ]
    return [head, *rows]
