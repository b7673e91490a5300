"""What building a plant costs, in time and memory, and one re-evaluation of its network (`scripts/bench`).

Each size is built in a process of its own, so that its peak of memory is its own; a process that only imports is
measured beside it.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZES = {10_000: "gb300-nvl72", 100_000: "gb300-nvl72", 1_000_000: "gb300-nvl72"}
"""GPUs (rounded up to whole racks) and topology."""
NETWORK = ("access-link", "leaf-uplink", "leaf", "spine")
"""Kinds of parts whose failures are measured."""
KIB = 1024
"""Of a MiB."""


def peak_mib() -> float:
    """Return the peak of this process's memory [MiB]; Linux's own count, for getrusage begins with the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB


def one_build(name: str, gpus: int) -> dict[str, float]:
    """Return what one build takes in this process: description, counts, state of all of the plant."""
    from dcsim.parts import PARTS
    from dcsim.plant import PlantState
    from dcsim.topology import resolve
    from dcsim.topology.build import build

    description = resolve(name)
    before = peak_mib()
    begin = time.process_time()
    topology = build(description, -(-gpus // 72) * 72)
    state = PlantState(topology)
    for kind in PARTS:
        if kind in topology.kinds:
            state.left(kind)
    topology.graph()
    seconds = time.process_time() - begin
    peak = peak_mib()
    return {"gpus": topology.gpus, "seconds": seconds, "peak_mib": peak, "imported_mib": before}


def reevaluations(name: str = "clos-100k", gpus: int = 100_000, failures: int = 4000) -> dict[str, float]:
    """Return the cost [s] of one failure of the network and its repair under one job on all GPUs.

    A month with about so many failures of one kind, less a month with next to none, by the failure: months of both in
    turn, the fastest of each. Where that is less than what a machine with other work varies by, it may be below zero.
    """
    from dcsim.engine.compiled_clock import play
    from dcsim.program.program import Program
    from dcsim.scenario import Scenario
    from dcsim.topology import resolve
    from dcsim.topology.build import build

    topology = build(resolve(name), gpus)
    jobs = [{"name": "a", "gpus": gpus, "comm": "20 %", "recovery": {"kind": "stateless"}}]
    tables = {"name": "bench", "horizon": "1 mo", "cluster": {"topology": name, "gpus": gpus}, "jobs": jobs}

    def month(kind: str, wanted: float) -> Program:
        hazard = {"component": kind, "mtbf": f"{topology.components(kind) * 720 / wanted:.6f} h", "repair": "1 min"}
        return Program(Scenario.model_validate({**tables, "hazards": [hazard]}))

    def played(program: Program) -> tuple[float, int]:
        begin = time.process_time()
        many = int(play(program, [0], True).ledgers().failures[0])
        return time.process_time() - begin, many

    found = {}
    for kind in NETWORK:
        months = month(kind, 1), month(kind, failures)
        (quiet, few), (busy, many) = map(min, zip(*([played(each) for each in months] for _ in range(7)), strict=True))
        found[kind] = (busy - quiet) / (many - few)
    return found


def measure() -> dict[str, Any]:
    """Return the costs of all sizes and of the re-evaluations."""
    builds = []
    for gpus, name in SIZES.items():
        code = (
            f"import json; from tests.benchmark.plant import one_build; print(json.dumps(one_build({name!r}, {gpus})))"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        builds.append(json.loads(done.stdout))
    return {"builds": builds, "reevaluation_seconds": reevaluations()}


def lines(found: dict[str, Any]) -> list[str]:
    """Return what ``measure`` found, to be read."""
    said = []
    for each in found["builds"]:
        label = f"plant of {each['gpus']:,} GPUs, built"
        memory = (
            f"{each['peak_mib']:,.0f} MiB in all, {each['peak_mib'] - each['imported_mib']:,.0f} MiB of it the plant's"
        )
        said.append(f"{label:<44}{1e3 * each['seconds']:>10,.1f} ms   {memory}")
    for kind, seconds in found["reevaluation_seconds"].items():
        what = f"one {kind} fails and is back"
        said.append(f"{'100,000 GPUs: ' + what:<52}{max(0.0, 1e6 * seconds):>6,.1f} us")
    return said
