"""How the compiled clock scales: failure rate, GPUs, replications, workers, memory; what an interval and a report cost.

`scripts/bench` prints it below the table of the headline workload; see ``bench``.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATE
from dcsim.montecarlo.statistics import adjusted
from dcsim.scenario import Scenario, load
from dcsim.scenario.plan import plan
from tests.benchmark import straightforward
from tests.benchmark.plant import peak_mib

HEADLINE = Path(__file__).with_name("headline.toml")
TENFOLD = 10
TENFOLD_GATE = 400
WIDTH_PP = 0.01
"""Half width of the interval whose cost is compared [percentage points]."""


def tenfold(scenario: Scenario) -> Scenario:
    """Return the headline workload with ten times the failures."""
    document = scenario.model_dump(mode="json", exclude_none=True)
    document["hazards"][0]["mtbf"] = "2500 h"
    return Scenario.model_validate(document)


def cost(work: Any, count: int) -> float:
    """Return CPU seconds of each of ``count`` parts of one call."""
    before = time.process_time()
    work()
    return (time.process_time() - before) / count


def failure_rate(rounds: int) -> dict[str, float]:
    """Return CPU seconds of a replication at ten times the failure rate, medians over rounds taken in turn."""
    scenario = tenfold(load(HEADLINE))
    plain = straightforward.Workload(mtbf=straightforward.Workload().mtbf / TENFOLD)
    simulate_many(scenario, range(2))
    rows: dict[str, list[float]] = {"straightforward": [], "compiled": []}
    for number in range(rounds):
        rows["straightforward"].append(cost(lambda n=number: straightforward.simulate(plain, n), 1))
        rows["compiled"].append(cost(lambda n=number: simulate_many(scenario, range(16 * n, 16 * n + 16)), 16))
    return {name: float(np.median(values)) for name, values in rows.items()}


def replications() -> dict[int, float]:
    """Return CPU seconds of a replication by how many are simulated in one call."""
    scenario = load(HEADLINE)
    simulate_many(scenario, range(2))
    return {count: cost(lambda n=count: simulate_many(scenario, range(n)), count) for count in (1, 8, 64, 512, 2048)}


def large(gpus: int, blast: int | None) -> dict[str, float]:
    """Simulate one replication of 36 months on so many GPUs; return seconds, failures and the peak of memory [MiB].

    ``blast`` None: derived, each failure takes its tray with it, as a scenario that says nothing gets it.
    """
    whole = gpus // 72 * 72
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "1 h", "failover": "5 min", "restore": "10 min"}
    size = whole * 9 // 80 // 72 * 72
    hazard: dict[str, Any] = {"component": "gpu", "mtbf": "50677 h", "detect": "15 min", "repair": "1 h"}
    document = {
        "name": "large",
        "horizon": "36 mo",
        "cluster": {"topology": "gb300-nvl72", "gpus": whole, "spares": whole - 8 * size},
        "jobs": [{"name": "pretrain", "gpus": size, "count": 8, "recovery": recovery}],
        "hazards": [hazard | ({} if blast is None else {"blast": blast})],
    }
    scenario = Scenario.model_validate(document)
    begin = time.process_time()
    found = simulate_many(scenario, range(1))
    seconds = time.process_time() - begin
    return {"gpus": whole, "seconds": seconds, "failures": int(found.failures[0]), "peak_mib": peak_mib()}


def sizes() -> list[dict[str, Any]]:
    """Return ``large`` of several sizes, each in a process of its own so that the peak of memory is its own."""
    found = []
    for gpus, blast in ((10_000, None), (100_000, None), (1_000_000, None), (1_000_000, 72)):
        code = f"import json; from tests.benchmark.scale import large; print(json.dumps(large({gpus}, {blast})))"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        found.append({"blast": "tray" if blast is None else blast, **json.loads(done.stdout)})
    return found


def workers(cores: set[int], replications: int = 2048) -> dict[int, float]:
    """Return wall seconds of a run in 1, 2 … worker processes, with everything that a run does but its files."""
    from dcsim.montecarlo import replicate_many
    from dcsim.montecarlo.engines import choose

    scenario, found = load(HEADLINE), {}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    for count in range(1, len(cores) + 1):
        begin = time.perf_counter()
        replicate_many([(scenario, None)], replications, workers=count, engine=choose())
        found[count] = time.perf_counter() - begin
    os.sched_setaffinity(0, before)
    return found


def report(replications: int = 1000) -> dict[str, float]:
    """Return wall seconds of ``dcsim run`` of the deck's dearest tier, with its report and without."""
    found = {}
    for name, further in (("without", ["--no-report"]), ("with", [])):
        with TemporaryDirectory() as folder:
            verb = ["run", "pretrain-5184/silver", "-n", str(replications), "-o", folder, "--json", *further]
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-m", "dcsim", *verb], stdout=subprocess.DEVNULL, check=True)
            found[name] = time.perf_counter() - begin
    return found


def interval(plain_seconds: float, compiled_seconds: float, replications: int = 2048) -> dict[str, float]:
    """Return what an interval of the loss costs by plain averaging of the straightforward model, and here.

    CPU for a half width w: (1.96 / w)^2 * variance of a replication * its cost; the variance here is what the control
    variate leaves. The straightforward model's own variance is the engine's: both have the same law.
    """
    scenario = load(HEADLINE)
    found = simulate_many(scenario, range(replications))
    loss = 1 - found.gpu_ms[:, :, STATE["useful"]].sum(axis=1) / scenario.capacity_gpu_ms
    control = adjusted(loss, found.drawn - plan(scenario).expected_drawn)
    assert control is not None
    plain, left = float(loss.var(ddof=1)), control.se**2 * replications
    many = (1.96 / (WIDTH_PP / 100)) ** 2
    return {
        "sd_pp": 100 * plain**0.5,
        "correlation": control.correlation,
        "variance_ratio": plain / left,
        "cost_ratio": plain_seconds / compiled_seconds,
        "plain_cpu_s": many * plain * plain_seconds,
        "cpu_s": many * left * compiled_seconds,
        "ratio": plain / left * plain_seconds / compiled_seconds,
    }


def measure(plain_seconds: float, compiled_seconds: float, rounds: int, cores: set[int]) -> dict[str, Any]:
    """Return all of it; the costs of a headline replication come from ``bench``."""
    return {
        "tenfold_seconds": failure_rate(max(1, min(3, rounds // 3))),
        "replication_seconds": replications(),
        "workers_wall_seconds": workers(cores),
        "sizes": sizes(),
        "report_wall_seconds": report(),
        "interval": interval(plain_seconds, compiled_seconds),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return what ``measure`` found, to be read."""
    rate, width = found["tenfold_seconds"], found["interval"]
    times = rate["straightforward"] / rate["compiled"]
    by_count = (f"{count}: {1e3 * seconds:.2f}" for count, seconds in found["replication_seconds"].items())
    by_workers = (f"{count}: {seconds:.1f}" for count, seconds in found["workers_wall_seconds"].items())
    said = [
        f"ten times the failures: straightforward {rate['straightforward']:,.2f} s, "
        f"compiled clock {1e3 * rate['compiled']:.1f} ms: "
        f"{times:,.0f} times   asked: {TENFOLD_GATE} or more, aim 550{'   MISSED' * (times < TENFOLD_GATE)}",
        f"compiled clock, ms a replication by how many at a time: {', '.join(by_count)}",
        f"2,048 replications, wall s by worker processes, their start and loading included: {', '.join(by_workers)}",
    ]
    said += [
        f"36 months of {each['gpus']:,} GPUs (blast: {each['blast']}): {each['failures']:,} failures, "
        f"{each['seconds']:.2f} s with compiling or loading, {each['peak_mib']:,.0f} MiB at most"
        for each in found["sizes"]
    ]
    wall = found["report_wall_seconds"]
    said.append(
        f"1,000 replications of Silver: {wall['without']:.1f} s without a report, {wall['with']:.1f} s with one"
        "   asked: at most 5 s more"
    )
    said.append(
        f"an interval of ± {WIDTH_PP} pp: {width['plain_cpu_s']:,.0f} s of CPU by plain averaging of the "
        f"straightforward model, {width['cpu_s']:.2f} s here: {width['ratio']:,.0f} times "
        f"= {width['cost_ratio']:,.0f} (cost) * {width['variance_ratio']:.2f} (variance; correlation "
        f"{width['correlation']:.3f})   asked: 1,000 or more"
    )
    return said
