"""`scripts/faults --folder`: every fault at every call of every verb, as a table of counts."""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.trial import FAULTS, Bench, Count, all_faults
from tests.faults.verbs import VERBS, tree
from tests.faults.workers import DEATHS, TASKS, Fate, run

LINE = "{:<32}{:>8}{:>10}{:>8}{:>10}{:>8}"


def of_verb(verb: str) -> Count:
    """Try everything with a verb."""
    *_, count = all_faults(verb)
    return count


def of_workers() -> Count:
    """Let a worker die at every message, in every way."""
    wrong: list[str] = []
    with TemporaryDirectory(prefix="dcsim-faults-") as scratch:
        run(Path(scratch) / "undisturbed", Fate(0, ""))
        undisturbed = tree(Path(scratch) / "undisturbed")
        for at, how in product(range(1, TASKS + 1), DEATHS):
            root = Path(scratch) / f"{at} {how}"
            run(root, Fate(at, how))
            if tree(root) != undisturbed:
                wrong.append(f"workers: death at message {at}, {how}: a file differs")
    return Count("a worker dies at a message", TASKS, TASKS * len(DEATHS), wrong)


def counts(verbs: list[str]) -> Iterator[Count]:
    """Yield the count of each verb as it is finished, and of workers."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tasks = [pool.submit(of_verb, verb) for verb in verbs]
        if len(verbs) > 1:
            tasks.append(pool.submit(of_workers))
        for each in as_completed(tasks):
            yield each.result()


def row(count: Count) -> str:
    """One line of the table."""
    lost = sum(": lost runs" in each for each in count.wrong)
    differ = sum("differs from" in each or "a file differs" in each for each in count.wrong)
    return LINE.format(count.verb, count.calls, count.tried, lost, differ, len(count.wrong) - lost - differ)


def main() -> int:
    """Run what the command line asks for; 1 if anything did not hold."""
    parser = argparse.ArgumentParser("scripts/faults", description=__doc__)
    parser.add_argument("--folder", action="store_true", required=True, help="faults of the disk and of workers")
    parser.add_argument("--verb", choices=[*VERBS], help="only this verb")
    parser.add_argument("--call", type=int, metavar="K", help="with --verb: only this call, from 1")
    parser.add_argument("--fault", choices=FAULTS, default="kill", help="with --call: which fault (default: kill)")
    asked = parser.parse_args()
    if asked.call is not None:
        if asked.verb is None:
            parser.error("--call needs --verb")
        with TemporaryDirectory(prefix="dcsim-faults-") as scratch:
            bench = Bench(asked.verb, Path(scratch) / "bench")
            if not 1 <= asked.call <= len(bench.calls):
                parser.error(f"--call: found {asked.call}; {asked.verb} makes {len(bench.calls)} calls")
            found = bench.trial(asked.call, asked.fault)
        print(f"{asked.verb}: {asked.fault} at call {asked.call} ({bench.calls[asked.call - 1]})")
        print("\n".join(found or ["nothing is lost" if found is not None else "this fault does not fit this call"]))
        return bool(found)
    print(LINE.format("verb", "calls", "faults", "lost", "differing", "other"), flush=True)
    total = Count("all", 0, 0, [])
    for count in counts([asked.verb] if asked.verb else [*VERBS]):
        print(row(count), flush=True)
        total = Count("all", total.calls + count.calls, total.tried + count.tried, total.wrong + count.wrong)
    print(row(total))
    print("\n".join(total.wrong[:100]), file=sys.stderr)
    return bool(total.wrong)


if __name__ == "__main__":
    sys.exit(main())
