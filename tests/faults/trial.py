"""One fault at one call, and what must hold afterwards."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from dcsim import files
from dcsim.files import StoreError, is_unfinished
from dcsim.montecarlo.merge import MergeError
from tests.faults.disk import FaultyDisk, Killed
from tests.faults.verbs import VERBS, Trial, copy, few, plant, tree

ENDS = ("kill", "torn", "power")
"""Faults that end the process."""
REFUSALS = ("ENOSPC", "EIO", "EACCES", "ENOMEM", "memory", "short")
"""Faults that it lives through."""
FAULTS = (*ENDS, *REFUSALS)


class Bench:
    """A verb with what is there before it and what an undisturbed one leaves; ``trial`` disturbs it."""

    def __init__(self, name: str, scratch: Path) -> None:
        self.name, self.verb, self.scratch = name, VERBS[name], scratch
        scratch.mkdir(parents=True, exist_ok=True)
        with few():
            self.before = Trial(scratch / "try")
            self.before.root.mkdir()
            self.verb.prepare(self.before)
            self.mine = plant(self.before.root)
            copy(self.before.root, scratch / "before")
            self.as_before = tree(scratch / "before")
            self.verb.act(Trial(self.before.root))  # it also reads what later ones find in memory
            self.after = tree(self.before.root)
            shutil.rmtree(self.before.root)
            copy(scratch / "before", self.before.root)
            counting = FaultyDisk()
            with patch.object(files, "disk", counting):
                self.verb.act(Trial(self.before.root))
            self.calls = counting.calls
            shutil.rmtree(self.before.root)

    def trial(self, at: int, fault: str) -> list[str] | None:
        """Let call number ``at``, from 1, have a fault; return what did not hold, None where it does not fit."""
        root = self.scratch / "try"
        copy(self.scratch / "before", root)
        try:
            with few():
                return self._trial(root, at, fault)
        finally:
            shutil.rmtree(root)

    def _whole(self, name: str) -> tuple[object, ...]:
        """Return what a file may be at any moment: as it was before, or as it is afterwards."""
        return self.as_before.get(name), self.after.get(name)

    def _trial(self, root: Path, at: int, fault: str) -> list[str] | None:
        finished = {folder: set(runs) for folder, runs in self.before.finished.items()} if self.verb.keeps else {}
        disturbed, disk, wrong = Trial(root, finished), FaultyDisk(at, fault), list[str]()
        ended = ""
        with patch.object(files, "disk", disk):
            try:
                self.verb.act(disturbed)
            except Killed:
                ended = "killed"
            except (StoreError, MergeError) as error:
                ended = str(error)
            except Exception as error:
                wrong.append(f"raised {type(error).__name__}: {error}")
        if not disk.struck:
            return None
        if ended != "killed":
            lines = [*ended.splitlines(), *disturbed.notices]
            wrong += [f"said {line!r}" for line in lines if str(root) not in line or "\n" in line or len(line) > 500]
            # no file is damaged as a whole, so none may be taken for it
            wrong += [f"took a file away: {line}" for line in disturbed.notices if "; removed," in line]
            left = [path for path in root.rglob(".dcsim-*") if is_unfinished(path.name)]
            if left and disk.calls[at - 1] != "unlink":
                wrong.append(f"left {left[0].name}")
        reports = {name: content for name, content in tree(root).items() if name.endswith("report.html")}
        wrong += [f"{name} is half there" for name, content in reports.items() if content not in self._whole(name)]
        wrong += [f"touched {path}" for path, content in self.mine.items() if path.read_bytes() != content]
        again = Trial(root)
        try:
            self.verb.again(again)
        except Exception as error:
            return [*wrong, f"the next try raised {type(error).__name__}: {error}"]
        for folder, runs in again.simulated.items():
            if lost := disturbed.finished.get(folder, set()) & set(runs):
                wrong.append(f"lost runs {sorted(lost)} of {folder.name}")
        found = tree(root)
        differing = [name for name in found.keys() | self.after.keys() if found.get(name) != self.after.get(name)]
        return wrong + [f"{name} differs from what an undisturbed one leaves" for name in sorted(differing)]


@dataclass
class Count:
    """Of one verb: calls to the disk, faults tried, and what did not hold."""

    verb: str
    calls: int
    tried: int
    wrong: list[str]


def all_faults(verb: str, choose: Callable[[int], tuple[str, ...]] | None = None) -> Iterator[Count]:
    """Try every fault at every call of a verb, or those that ``choose`` takes; yield the count after each call."""
    with TemporaryDirectory(prefix="dcsim-faults-") as scratch:
        bench = Bench(verb, Path(scratch) / "bench")
        count = Count(verb, len(bench.calls), 0, [])
        for at in range(1, len(bench.calls) + 1):
            for fault in FAULTS if choose is None else choose(at):
                found = bench.trial(at, fault)
                if found is None:
                    continue
                count.tried += 1
                count.wrong += [f"{verb}: {fault} at call {at} ({bench.calls[at - 1]}): {each}" for each in found]
            yield count


class Choose:
    """Choose one fault for about every second call, by seed: as often a kill as any other."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, at: int) -> tuple[str, ...]:
        """Return the faults of a call."""
        if self.rng.random() < 0.5:
            return ()
        return ("kill",) if self.rng.random() < 0.5 else (str(self.rng.choice(FAULTS[1:])),)
