"""What a replication of the headline workload costs, a start of dcsim, and a plant (`scripts/bench`).

Every row is measured once per round, in turn, on one core, as CPU time with the random draws included, so
that a ratio compares neighbours in time. Ratios are taken within a round and shown as median and range over
the rounds; a first round, for warming up, is thrown away.
"""

import argparse
import gc
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import simpy

from dcsim.engine import simulate_by_simpy
from dcsim.engine.compiled_clock import simulate_many
from dcsim.scenario import Plan, load
from dcsim.scenario.plan import plan
from tests.benchmark import logs, plant, scale, shipped, straightforward, sweeps

HEADLINE = Path(__file__).with_name("headline.toml")

BATCH = 64
"""Replications in one call of the compiled clock."""
PER_SECOND = {"ns": 1e9, "ms": 1e3}
LABELS = {
    "timeout": ("one bare env.timeout", "ns"),
    "straightforward": ("straightforward model, a replication", "ms"),
    "simpy": ("SimPy's clock, a replication", "ms"),
    "compiled": (f"compiled clock, a replication of {BATCH}", "ms"),
    "unsplit": ("the same without months and causes", "ms"),
    "draws": ("its random draws alone, by numpy", "ms"),
    "bare": ("python -c pass", "ms"),
    "click": ("python -c 'import click'", "ms"),
    "dcsim": ("dcsim --help", "ms"),
}
RATIOS = (  # name, row, in units of row, what is asked of it
    ("straightforward model in bare env.timeouts", "straightforward", "timeout", "about 440,000"),
    ("straightforward model / SimPy's clock", "straightforward", "simpy", ""),
    ("straightforward model / compiled clock", "straightforward", "compiled", "1,000 or more, aim 1,400"),
    ("straightforward model / the same, unsplit", "straightforward", "unsplit", ""),
    ("dcsim --help in bare interpreter starts", "dcsim", "bare", "9 or fewer"),
    ("import click in bare interpreter starts", "click", "bare", ""),
)


def drawn(layout: Plan, replication: int) -> None:
    """Draw all random numbers of one replication."""
    for draws in layout.draws(replication):
        draws.outcomes(len(draws.failures.times))


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call [s]."""
    gc.collect()  # what the row before left behind is not this row's work
    before = time.process_time()
    work()
    return time.process_time() - before


def start_seconds(starts: int, *arguments: str) -> float:
    """Return the CPU time of one start of this interpreter [s], mean over `starts`."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    for _ in range(starts):
        subprocess.run([sys.executable, "-P", *arguments], check=True, stdout=subprocess.DEVNULL)
    return (spent() - before) / starts


def run_timeouts(count: int) -> None:
    """Let one process sleep `count` times: the least that SimPy can do per event."""

    def sleeper(env: simpy.Environment) -> Iterator[simpy.Event]:
        for _ in range(count):
            yield env.timeout(1)

    env = simpy.Environment()
    env.process(sleeper(env))
    env.run()


def measure(rounds: int) -> dict[str, list[float]]:
    """Return seconds per unit of every row (timeout, replication, start), one per round."""
    scenario = load(HEADLINE)
    plain = partial(straightforward.simulate, straightforward.Workload())
    simulate_many(scenario, range(2))  # compiled, or loaded
    tuned, draws = partial(simulate_by_simpy, scenario), partial(drawn, plan(scenario))

    def per_replication(work: Callable[[int], object], count: int, number: int) -> float:
        first = number * count
        return cpu_seconds(lambda: [work(replication) for replication in range(first, first + count)]) / count

    rows: dict[str, Callable[[int], float]] = {
        "timeout": lambda _: cpu_seconds(lambda: run_timeouts(100_000)) / 100_000,
        "straightforward": lambda r: per_replication(plain, 1, r),
        "simpy": lambda r: per_replication(tuned, 1, r),
        "compiled": lambda r: cpu_seconds(lambda: simulate_many(scenario, range(r * BATCH, (r + 1) * BATCH))) / BATCH,
        "unsplit": lambda r: (
            cpu_seconds(lambda: simulate_many(scenario, range(r * BATCH, (r + 1) * BATCH), monthly=False)) / BATCH
        ),
        "draws": lambda r: per_replication(draws, BATCH, r),
        "bare": lambda _: start_seconds(3, "-c", "pass"),
        "click": lambda _: start_seconds(3, "-c", "import click"),
        "dcsim": lambda _: start_seconds(3, "-m", "dcsim", "--help"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds + 1):
        for name, row in rows.items():
            spent = row(number)
            if number:
                seconds[name].append(spent)
    return seconds


def missed(asked: str, value: float) -> str:
    """Return a mark if a value misses what is asked: "N or more" or "N or fewer"; else nothing."""
    number, _, way = asked.partition(" or ")
    if not way:
        return ""
    limit = float(number.replace(",", ""))
    return "   MISSED" if (value < limit if way.startswith("more") else value > limit) else ""


def machine() -> dict[str, str]:
    """Name what was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    packages = {package: version(package) for package in ("simpy", "numpy", "numba", "click")}
    cpu = models[0] if models else platform.processor()
    return {"cpu": cpu, "python": platform.python_version(), **packages}


def spread(values: list[float]) -> dict[str, float]:
    """Return median and range."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def shown(values: dict[str, float], factor: float = 1.0) -> str:
    """Return median and range as text, three digits of the median."""
    middle, low, high = (values[key] * factor for key in ("median", "min", "max"))
    digits = max(0, 2 - int(math.log10(middle)))
    return f"{middle:>10,.{digits}f}  ({low:,.{digits}f} to {high:,.{digits}f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the headline workload and starts.")
    parser.add_argument("--rounds", type=int, default=21, help="measured rounds (default 21)")
    parser.add_argument("--quick", action="store_true", help="three rounds, for a first look")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--sweeps", action="store_true", help="two sweeps of 10 x 10 settings and nothing else")
    parser.add_argument("--log", metavar="SIZE", help="read logs of SIZE, such as 1GB, and nothing else")
    options = parser.parse_args()
    if options.log:
        read = logs.measured(options.log, options.log)
        document = {"schema": 1, "machine": machine(), "log": read}
        print(json.dumps(document) if options.json else "\n".join(logs.lines(read)))
        return
    if options.sweeps:
        swept = sweeps.measure()
        print(
            json.dumps({"schema": 1, "machine": machine(), "sweeps": swept})
            if options.json
            else "\n".join(sweeps.lines(swept))
        )
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    rounds = 3 if options.quick else max(1, options.rounds)
    seconds = measure(rounds)
    ratios = {
        name: spread([a / b for a, b in zip(seconds[over], seconds[under], strict=True)])
        for name, over, under, _ in RATIOS
    }
    costs = {name: spread(values) for name, values in seconds.items()}
    plants = plant.measure()
    failures = shipped.measure(lambda: cpu_seconds(lambda: run_timeouts(20_000)) / 20_000)
    scales = scale.measure(costs["straightforward"]["median"], costs["compiled"]["median"], rounds, cores)
    read = logs.measured("100MB", "20MB")
    if options.json:
        document = {"schema": 1, "machine": machine(), "rounds": rounds, "seconds": costs, "ratios": ratios}
        document |= {"plant": plants, "scale": scales, "shipped": failures, "log": read}
        print(json.dumps(document))
        return
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{rounds} rounds on one core; CPU time, draws included: median (range)\n")
    for row, (label, unit) in LABELS.items():
        print(f"{label:<44}{shown(costs[row], PER_SECOND[unit])} {unit}")
    print()
    for name, _, _, asked in RATIOS:  # a mark says which gates are missed
        print(f"{name:<44}{shown(ratios[name])}{asked and f'   asked: {asked}'}{missed(asked, ratios[name]['median'])}")
    print()
    for line in (*scale.lines(scales), "", *plant.lines(plants), "", *shipped.lines(failures), "", *logs.lines(read)):
        print(line)


if __name__ == "__main__":
    main()
