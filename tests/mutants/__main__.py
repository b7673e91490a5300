"""`scripts/faults --rules` and `--program`: plant single faults, one at a time, and run the tests of their room.

A fault of a rule is planted in a fork (``tests.mutants.forks``), any other one in a copy of the program. What is
compiled is judged as plain Python. What was found is kept, so that a run goes on where it ended.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.mutants import forks
from tests.mutants.draw import Fault, of_program, of_rules
from tests.mutants.rooms import EXACT, ROOMS, room_of

ROOT = Path(__file__).resolve().parents[2]
COMPILED = ("dcsim/rules/", "dcsim/program/", "dcsim/engine/", "dcsim/plant/", "dcsim/ledger.py")
"""What machine code is made of or reads: its tests run the same text as plain Python, which has not to be compiled."""
CPU_LIMIT, LIMIT = 150, 1_800.0
"""Time of the processor that one process of the tests has, and time in all [s]: a fault may make a loop endless."""
MEMORY = 4 << 30
"""Address space that one process of the tests has [bytes]: a fault may make a loop endless."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "outputs", ".*_cache", ".hypothesis")


class Bench:
    """A copy of the checkout, in which faults are planted; SystemExit if Python would import another dcsim."""

    def __init__(self, copy: Path) -> None:
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        self.copy = copy
        self.honest: set[str] = set()
        self.environment = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(copy),  # what tests start imports the copy too, wherever it is started
        }
        # Bytecode that is checked by the hash of its text: a fault may leave size and second of a file as they were.
        compiled = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "dcsim", "tests"]
        subprocess.run(compiled, cwd=copy, check=True)
        asked = [sys.executable, "-c", "import dcsim; print(dcsim.__file__)"]
        said = subprocess.run(asked, cwd="/", env=self.environment, capture_output=True, text=True, check=True).stdout
        if not Path(said.strip()).is_relative_to(copy):
            raise SystemExit(f"tests of the copy would import {said.strip()}")

    def run(self, tests: Sequence[str], plain: bool) -> tuple[str, str]:
        """Run tests until the first failure, ``plain``: without machine code.

        Return the outcome and the test that failed or what was said.
        """
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no"]
        with subprocess.Popen(
            [*command, "--hypothesis-profile=judge", *tests],
            cwd=self.copy,
            env=self.environment | ({"NUMBA_DISABLE_JIT": "1"} if plain else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_limits,
        ) as process:
            try:
                said, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with the workers that tests have started
                return "time", f"not done after {LIMIT:.0f} s"
        if process.returncode == 0:
            return "SURVIVED", ""
        if process.returncode == -signal.SIGXCPU:
            return "time", f"not done after {CPU_LIMIT} s of the processor"
        failed = [line.split(" - ")[0] for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return "caught", failed[0].partition(" ")[2] if failed else said.strip()[-200:]

    def judge(self, fault: Fault) -> tuple[str, str]:
        """Plant a fault, run the tests of its room, and take it back; SystemExit if what caught it fails without it."""
        target = self.copy / fault.file
        honest, tests = target.read_bytes(), tests_of(self.copy, room_of(fault.file))
        plain = fault.file.startswith(COMPILED)
        target.write_bytes(fault.text(honest))
        try:
            outcome, test = self.run(tests, plain)
        finally:
            target.write_bytes(honest)
        if outcome == "caught" and test not in self.honest:
            known = test.partition("::")[0] in tests
            again, _ = self.run([test] if known else tests, plain)
            if again != "SURVIVED":
                raise SystemExit(f"without a fault the tests of {fault.file} do not pass: {test}")
            self.honest.add(test)
        return outcome, test


def tests_of(root: Path, room: str) -> list[str]:
    """Return the files of tests that judge a room, the quickest first."""
    patterns = (EXACT.format(room=room.rstrip("/").split("/")[-1]), *ROOMS[room])
    found = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    return [str(path.relative_to(root)) for path in dict.fromkeys(found)]


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT, CPU_LIMIT + 10))


def key_of(fault: Fault) -> str:
    """Name a fault so that it is tried again when its file has changed."""
    source = hashlib.sha256((ROOT / fault.file).read_bytes()).hexdigest()[:12]
    return f"{fault.file} {fault.begin} {fault.old} {fault.new} {source}"


def reasons() -> list[dict[str, Any]]:
    """Return the table of faults that are equivalent."""
    listed: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text()).get(
        "fault", []
    )
    return listed


def reason(fault: Fault, listed: Sequence[dict[str, Any]]) -> str:
    """Return why a fault is equivalent, by file, honest line and change; empty: it is not listed."""
    source = (ROOT / fault.file).read_bytes()
    line, before = fault.changed_line(source), source[: fault.begin].decode()
    for each in listed:
        same = (each["file"], each["line"], each["change"]) == (fault.file, line, f"{fault.old} -> {fault.new}")
        if same and before.endswith(each.get("behind", "")):
            return str(each["why"])
    return ""


def main() -> int:
    """Run what the command line asks for; 1 if a fault survived that is not listed as equivalent."""
    parser = argparse.ArgumentParser("scripts/faults", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--rules", action="store_true", help="one fault in each rule, or --count")
    which.add_argument("--program", action="store_true", help="faults of the whole program")
    parser.add_argument("--count", type=int, metavar="N", help="how many (default: one in each rule; 100)")
    parser.add_argument("--seed", type=int, default=20261128, help="what draws them (default: %(default)s)")
    parser.add_argument(
        "--room", metavar="FOLDER", help="of those drawn only the ones in this folder, as dcsim/decide/"
    )
    parser.add_argument("--show", action="store_true", help="print the text of each fault, and try none")
    parser.add_argument("--again", action="store_true", help="try those once more that survived before")
    asked = parser.parse_args()
    if asked.rules:
        drawn = of_rules(ROOT, asked.count, asked.seed)
    else:
        drawn = of_program(ROOT, 100 if asked.count is None else asked.count, asked.seed)
    drawn = [each for each in drawn if each.file.startswith(asked.room or "")]
    if asked.show:
        for fault in drawn:
            honest = (ROOT / fault.file).read_bytes()
            print(f"{fault}\n  - {fault.changed_line(honest)}\n  + {fault.changed_line(fault.text(honest))}")
        return 0
    kept = ROOT / "outputs" / "faults.jsonl"
    kept.parent.mkdir(exist_ok=True)
    known: dict[str, list[str]] = {}
    if kept.exists():
        known = {each["fault"]: each["found"] for each in map(json.loads, kept.read_text().splitlines())}
    equivalent = reasons()
    score = dict.fromkeys(("caught", "time", "SURVIVED", "equivalent"), 0)

    def tell(fault: Fault, outcome: str, test: str) -> None:
        score[outcome] += 1
        print(f"{fault}: {outcome} {test}".rstrip(), flush=True)

    def found(fault: Fault, outcome: str, test: str) -> None:
        with kept.open("a") as file:
            file.write(json.dumps({"fault": key_of(fault), "found": [outcome, test]}) + "\n")
        tell(fault, outcome, test)

    new = []
    for fault in drawn:
        why = reason(fault, equivalent)
        outcome, test = ("equivalent", why) if why else known.get(key_of(fault), ("", ""))
        if not outcome or (asked.again and outcome == "SURVIVED"):
            new.append(fault)
        else:
            tell(fault, outcome, test)
    of_a_rule = [fault for fault in new if forks.is_of_a_rule(fault)]
    others = [fault for fault in new if not forks.is_of_a_rule(fault)]
    if of_a_rule:
        forks.tried(ROOT, of_a_rule, lambda fault: tests_of(ROOT, room_of(fault.file)), found)
    if others:
        with TemporaryDirectory(prefix="dcsim-faults-") as scratch:
            bench = Bench(Path(scratch) / "copy")
            for fault in others:
                found(fault, *bench.judge(fault))
    noticed = score["caught"] + score["time"]
    print(
        f"{len(drawn)} faults: {noticed} caught ({score['time']} of them by the time limit), "
        f"{score['SURVIVED']} survived, {score['equivalent']} equivalent"
    )
    return bool(score["SURVIVED"])


if __name__ == "__main__":
    sys.exit(main())
