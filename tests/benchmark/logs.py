"""How fast logs are read beside a bare loop of csv.reader, and in how much memory (`--log SIZE`).

A table of outages, jobs of sacct, and the logs of slurmctld and of kernels; csv.reader loops over the same file.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from dcsim.records.forms import read

SIZES = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
KINDS = ("gpu", "fan", "psu", "network", "disk", "no cause found")
BLOCK = 100_000
"""Lines that are made at once."""
MIB = 1024
"""KiB of a MiB."""


def bytes_of(size: str) -> int:
    """Return a size such as "100 MB" or "1GB" in bytes; raises ValueError."""
    unit = next((unit for unit in SIZES if size.endswith(unit)), None)
    if unit is None:
        raise ValueError(f"found {size!r}; must be a size such as 100MB or 1GB")
    return round(float(size.removesuffix(unit)) * SIZES[unit])


def write_log(path: Path, size: int) -> int:
    """Write a log of about ``size`` bytes, outages of 5,000 nodes every ten minutes; return its number of rows."""
    rng, zero, rows = np.random.default_rng(5), np.datetime64("2015-01-01T00:00:00"), 0
    with path.open("w") as file:
        written = file.write("start,end,node,cause,ticket,comment\n")
        begin = 0
        while written < size:
            at = begin + np.cumsum(rng.exponential(600, BLOCK)).astype(np.int64)
            begin = int(at[-1])
            ends = at + rng.lognormal(8, 1, BLOCK).astype(np.int64)
            columns = (
                (zero + at).astype(str),
                (zero + ends).astype(str),
                rng.integers(0, 5_000, BLOCK).tolist(),
                rng.integers(0, len(KINDS), BLOCK).tolist(),
            )
            for start, end, node, kind in zip(*columns, strict=True):
                written += file.write(f"{start},{end},n{node:05d},{KINDS[kind]},INC{rows:08d},replaced by vendor\n")
                rows += 1
                if written >= size:
                    break
    return rows


def write_lines(path: Path, size: int, form: str) -> int:
    """Write a log of about ``size`` bytes in a form of Slurm or of kernels; return its number of lines.

    A job every ten seconds on four of 5,000 nodes; a line of the kernel every second, each hundredth with an Xid; a
    line of slurmctld every ten seconds, each tenth about a node.
    """
    rng, rows, written = np.random.default_rng(5), 0, 0
    with path.open("w") as file:
        if form == "sacct":
            written += file.write("JobID|User|State|Start|End|NodeList\n")
        while written < size:
            first = rng.integers(0, 4_996, BLOCK).tolist()
            took = rng.exponential(20_000, BLOCK).astype(np.int64).tolist()
            for node, hold in zip(first, took, strict=True):
                written += file.write(LINE[form](rows, node, hold))
                rows += 1
                if written >= size:
                    break
    return rows


def _when(seconds: int) -> str:
    return (ZERO + timedelta(seconds=seconds)).isoformat()


def _sacct(row: int, node: int, took: int) -> str:
    state = "NODE_FAIL" if row % 500 == 0 else "FAILED" if row % 20 == 0 else "COMPLETED"
    start, end = _when(10 * row), _when(10 * row + took)
    return f"{row}|u{row % 40}|{state}|{start}|{end}|n[{node:05d}-{node + 3:05d}]\n"


def _slurmctld(row: int, node: int, took: int) -> str:
    text = f"sched: Allocate JobId={row} NodeList=n[{node:05d}-{node + 3:05d}] #CPUs=448 Partition=gpu"
    if row % 10 == 0:
        text = f"error: Nodes n{row // 20 % 5_000:05d} not responding, setting DOWN"
        text = text if row % 20 else f"node n{row // 20 % 5_000:05d} returned to service"
    return f"[{_when(10 * row)}.100] {text}\n"


def _kernel(row: int, node: int, took: int) -> str:
    xid = f"NVRM: Xid (PCI:0000:3b:00): {(79, 13, 94)[row % 3]}, pid=1, name=python, text"
    text = xid if row % 100 == 0 else f"usb {took % 9}-1: new high-speed USB device number {took}"
    return f"{_when(row)}+0000 n{node:05d} kernel: {text}\n"


ZERO = datetime(2024, 1, 1)
LINE: dict[str, Callable[[int, int, int], str]] = {"sacct": _sacct, "slurmctld": _slurmctld, "kernel": _kernel}
FORMS = ("table", *LINE)


def read_once(path: Path, form: str) -> dict[str, float]:
    """Read a log, then loop over it; return CPU seconds, peak memory [MiB] when it was read, and its lines."""
    import resource

    before = time.process_time()
    found = read(path, form)
    took = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    before = time.process_time()
    with path.open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - (form in ("table", "sacct"))
    looped = time.process_time() - before
    if found.outages is None or (found.outages.rows, found.broken.total) != (rows, 0):
        raise RuntimeError(f"{found.outages and found.outages.rows} of {rows} rows, broken: {found.broken.told()}")
    return {"seconds": took, "csv_seconds": looped, "rows": rows, "peak_mib": peak}


def measure(size: str, form: str = "table") -> dict[str, float]:
    """Make a log of this size and form, and read it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        if form == "table":
            write_log(path, bytes_of(size))
        else:
            write_lines(path, bytes_of(size), form)
        command = [sys.executable, "-P", "-m", "tests.benchmark.logs", str(path), form]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
        found: dict[str, float] = json.loads(done.stdout)
        return found | {"mb": path.stat().st_size / SIZES["MB"]}


def measured(size: str, others: str) -> dict[str, dict[str, float]]:
    """Measure a table of outages of this size, and logs of the other forms of theirs."""
    return {form: measure(size if form == "table" else others, form) for form in FORMS}


def lines(found: dict[str, dict[str, float]]) -> list[str]:
    """Return what is printed, a line for each form."""
    said = []
    for form, each in found.items():
        rate, bare = each["rows"] / each["seconds"], each["rows"] / each["csv_seconds"]
        said.append(
            f"{form:<10}{each['mb']:>7,.0f} MB, {each['rows']:,.0f} lines: {rate:,.0f} lines a second, "
            f"csv.reader alone {bare:,.0f} ({bare / rate:.1f} times), at most {each['peak_mib']:,.0f} MiB"
        )
    return said


if __name__ == "__main__":
    print(json.dumps(read_once(Path(sys.argv[1]), sys.argv[2])))
