"""`scripts/faults --rules` and `--program`: plant single faults in a copy of the program, one at a time.

Each is judged by the tests of its room, in plain Python. What was found is kept, so that a run goes on where it ended.
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
import time
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.mutants.draw import Fault, of_program, of_rules
from tests.mutants.rooms import EXACT, ROOMS, room_of

ROOT = Path(__file__).resolve().parents[2]
BASELINE_LIMIT = 900.0
"""Time that the tests of a room have without a fault [s]."""
MEMORY = 4 << 30
"""Address space that one process of the tests has [bytes]: a fault may make a loop endless."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "outputs", ".*_cache", ".hypothesis")


class Bench:
    """A copy of the checkout, in which faults are planted; SystemExit if Python would import another dcsim."""

    def __init__(self, copy: Path) -> None:
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        self.copy = copy
        self.lasted: dict[str, float] = {}
        self.environment = os.environ | {
            "NUMBA_DISABLE_JIT": "1",
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

    def run(self, room: str, limit: float) -> tuple[str, str]:
        """Run a room's tests until the first failure; return the outcome and the test that failed or what was said."""
        found = [
            str(path.relative_to(self.copy))
            for pattern in (EXACT.format(room=room.rstrip("/").split("/")[-1]), *ROOMS[room])
            for path in sorted(self.copy.glob(pattern))
        ]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no"]
        with subprocess.Popen(
            [*command, "--hypothesis-profile=judge", *dict.fromkeys(found)],
            cwd=self.copy,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        ) as process:
            try:
                said, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with the workers that tests have started
                return "time", f"not done after {limit:.0f} s"
        if process.returncode == 0:
            return "SURVIVED", ""
        failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return "caught", failed[0].split(" - ")[0] if failed else said.strip()[-200:]

    def baseline(self, room: str) -> None:
        """Time a room's tests without a fault; SystemExit unless they pass."""
        if room not in self.lasted:
            began = time.monotonic()
            outcome, test = self.run(room, BASELINE_LIMIT)
            if outcome != "SURVIVED":
                raise SystemExit(f"the tests of {room} fail without a fault: {test}")
            self.lasted[room] = time.monotonic() - began

    def judge(self, fault: Fault) -> tuple[str, str]:
        """Plant a fault, run the tests of its room, and take it back."""
        room = room_of(fault.file)
        self.baseline(room)
        target = self.copy / fault.file
        honest = target.read_bytes()
        target.write_bytes(fault.text(honest))
        try:
            return self.run(room, 60 + 2 * self.lasted[room])
        finally:
            target.write_bytes(honest)


def key_of(fault: Fault) -> str:
    """Name a fault so that it is tried again when its file has changed."""
    source = hashlib.sha256((ROOT / fault.file).read_bytes()).hexdigest()[:12]
    return f"{fault.file} {fault.begin} {fault.old} {fault.new} {source}"


def reasons() -> dict[tuple[str, str, str], str]:
    """Return why faults are equivalent, by file, honest line and change."""
    listed: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text()).get(
        "fault", []
    )
    return {(each["file"], each["line"], each["change"]): each["why"] for each in listed}


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
    with TemporaryDirectory(prefix="dcsim-faults-") as scratch:
        bench = Bench(Path(scratch) / "copy")
        for fault in drawn:
            change = f"{fault.old} -> {fault.new}"
            why = equivalent.get((fault.file, fault.changed_line((ROOT / fault.file).read_bytes()), change))
            outcome, test = ("equivalent", why) if why else known.get(key_of(fault), ("", ""))
            if not outcome or (asked.again and outcome == "SURVIVED"):
                outcome, test = bench.judge(fault)
                with kept.open("a") as file:
                    file.write(json.dumps({"fault": key_of(fault), "found": [outcome, test]}) + "\n")
            score[outcome] += 1
            print(f"{fault}: {outcome} {test}".rstrip(), flush=True)
    noticed = score["caught"] + score["time"]
    print(
        f"{len(drawn)} faults: {noticed} caught ({score['time']} of them by the time limit), "
        f"{score['SURVIVED']} survived, {score['equivalent']} equivalent"
    )
    return bool(score["SURVIVED"])


if __name__ == "__main__":
    sys.exit(main())
