"""How fast a log of outages is read beside a bare loop of csv.reader, and in how much memory (`--log SIZE`)."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dcsim.records import read_outages

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


def read_once(path: Path) -> dict[str, float]:
    """Read a log, then loop over it; return CPU seconds, peak memory [MiB] when it was read, and outages."""
    import resource

    before = time.process_time()
    found = read_outages(path)
    read = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    before = time.process_time()
    with path.open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    looped = time.process_time() - before
    if (found.rows, found.broken.total) != (rows, 0):
        raise RuntimeError(f"{found.rows} of {rows} rows were read, {found.broken.total} lines are broken")
    return {"seconds": read, "csv_seconds": looped, "rows": rows, "peak_mib": peak}


def measure(size: str) -> dict[str, float]:
    """Make a log of this size, and read it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        write_log(path, bytes_of(size))
        command = [sys.executable, "-P", "-m", "tests.benchmark.logs", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
        found: dict[str, float] = json.loads(done.stdout)
        return found | {"mb": path.stat().st_size / SIZES["MB"]}


def lines(found: dict[str, float]) -> list[str]:
    """Return what is printed."""
    rate, bare = found["rows"] / found["seconds"], found["rows"] / found["csv_seconds"]
    return [
        f"log of {found['mb']:,.0f} MB, {found['rows']:,.0f} outages: {rate:,.0f} rows a second, "
        f"csv.reader alone {bare:,.0f} ({bare / rate:.1f} times), at most {found['peak_mib']:,.0f} MiB"
    ]


if __name__ == "__main__":
    print(json.dumps(read_once(Path(sys.argv[1]))))
