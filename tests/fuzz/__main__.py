"""`scripts/fuzz`: many changed inputs by every door, as a table of counts; what is wrong is kept as a file."""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.blocks import blocks
from tests.fuzz.doors import DOORS

LINE = "{:<18}{:>11}{:>11}{:>11}{:>12}{:>8}{:>8}{:>12}{:>12}"


def main() -> int:
    """Run what the command line asks for; 1 if an input was neither let in nor refused in lines."""
    parser = argparse.ArgumentParser("scripts/fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, metavar="N", help="inputs over all doors")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--door", choices=[*DOORS], help="only this door")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("-o", "--output", type=Path, default=Path("outputs/fuzz"), help="where wrong inputs are kept")
    asked = parser.parse_args()
    outcomes = {door: Counter[str]() for door in DOORS}
    slowest, peak, kept = dict.fromkeys(DOORS, 0.0), dict.fromkeys(DOORS, 0), 0
    done, said = 0, time.monotonic()
    for door, found, slow, bytes_, wrong in blocks(
        asked.inputs, asked.seed, [asked.door] if asked.door else [*DOORS], asked.workers
    ):
        outcomes[door] += found
        slowest[door], peak[door] = max(slowest[door], slow), max(peak[door], bytes_)
        for what, told, content in wrong:
            asked.output.mkdir(parents=True, exist_ok=True)
            path = asked.output / f"{door.replace(' ', '-').replace(',', '')}-{kept}"
            path.write_bytes(content)
            kept += 1
            print(f"{path}: {what}: {told.strip().splitlines()[-1][:200]}", file=sys.stderr, flush=True)
        done += found.total()
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"{done:,} of {asked.inputs:,} inputs", file=sys.stderr, flush=True)
    head = ("door", "inputs", "accepted", "refused", "tracebacks", "hangs", "lines", "slowest [s]", "peak [MiB]")
    print(LINE.format(*head))
    total = sum(outcomes.values(), Counter[str]())
    rows = {**{door: (outcomes[door], slowest[door], peak[door]) for door in DOORS if outcomes[door]},
            "all": (total, max(slowest.values()), max(peak.values()))}  # fmt: skip
    for door, (found, slow, bytes_) in rows.items():
        counts = (f"{found[what]:,}" for what in ("accepted", "refused", "traceback", "hang", "line"))
        print(LINE.format(door, f"{found.total():,}", *counts, f"{slow:.2f}", f"{bytes_ >> 20:,}"))
    return int(total["accepted"] + total["refused"] < total.total())


if __name__ == "__main__":
    sys.exit(main())
