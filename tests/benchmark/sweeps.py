"""What two sweeps of 10 x 10 settings cost on one core: the headline workload, and a plant (`scripts/bench --sweeps`).

Each is the verb itself, in a process of its own, with its folder, tables and report.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HEADLINE = Path(__file__).with_name("headline.toml")
KIB = 1024
"""Of a MiB."""


class Case(NamedTuple):
    """One sweep: what it is called, its command line, and the CPU time [s] that it may take."""

    name: str
    arguments: tuple[str, ...]
    most_s: float


CASES = (
    Case(
        "headline, 10 x 10 settings, 1,000 runs each",
        (str(HEADLINE), "-L", "cluster.spares=0:576:64", "-L", "hazards.gpu.detect=5 min:50 min:5 min", "-n", "1000"),
        180.0,
    ),
    Case(
        "plant/tor-single-homed, 10 x 10 settings, 100 runs each",
        (
            *("plant/tor-single-homed", "-n", "100", "-L", "hazards.tor.mtbf=50000 h:500000 h:50000 h"),
            *("-L", "hazards.link.mtbf=50000 h:500000 h:50000 h"),
        ),
        600.0,
    ),
)


def spent(case: Case) -> dict[str, float]:
    """Return the CPU time [s] and the peak of memory [MiB] of a sweep, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-P", "-m", "dcsim", "sweep", *case.arguments, "--workers", "1", "-o", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    return {"seconds": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / KIB, "most_seconds": case.most_s}


def measure() -> dict[str, dict[str, float]]:
    """Run both sweeps once."""
    return {case.name: spent(case) for case in CASES}


def lines(found: dict[str, dict[str, float]]) -> list[str]:
    """Return a line for each sweep, marked where it took longer than it may."""
    return [
        f"{name:<58}{each['seconds']:>8,.1f} s of CPU, at most {each['peak_mib']:,.0f} MiB   asked: "
        f"{each['most_seconds']:,.0f} or fewer{'   MISSED' if each['seconds'] > each['most_seconds'] else ''}"
        for name, each in found.items()
    ]
