"""What is done with run folders, each as a function that a failing disk can be put under."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from dcsim.decide.run_table import keep_table
from dcsim.files import make_folder, output
from dcsim.ledger import Ledgers
from dcsim.montecarlo import UNSHARDED, RunFolder, Shard, read_events, replicate_many, write_events
from dcsim.montecarlo.comparison_folder import members, write_group
from dcsim.montecarlo.manifest import MANIFEST, Manifest
from dcsim.montecarlo.merge import merge
from dcsim.montecarlo.run_folder import ALL, REPLICATIONS
from dcsim.montecarlo.run_reader import read_sample
from tests.unit.montecarlo_fakes import fake, small

N = 6
GROUP, SMALL, ENOUGH = 4, 3, 4
"""Row groups and small parts of a few runs: every rule about many runs is at work with these few."""


@dataclass
class Trial:
    """One try of a verb: the runs that were finished, by folder; those that were simulated; what the user was told."""

    root: Path
    finished: dict[Path, set[int]] = field(default_factory=dict)
    simulated: dict[Path, list[int]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def folder(self, scenario=None, **options) -> "Noted":
        """A run folder that notes what it has finished."""
        return Noted(self, scenario or small(), **options)

    def run(
        self, *stores: "Noted", n: int = N, resume: bool = False, chunk: int = 1, shard: Shard = UNSHARDED, more=None
    ):
        """Simulate runs into folders, in this process."""

        def counted(scenario, replication):
            for store in stores:
                if store.scenario.seed == scenario.seed:
                    self.simulated.setdefault(store.folder, []).append(replication)
            return fake(scenario, replication)

        try:
            return replicate_many(
                [(store.scenario, store) for store in stores], n, workers=1, resume=resume, chunk=chunk, shard=shard,
                simulate=counted, more=more,
            )  # fmt: skip
        finally:
            for store in stores:
                self.notices += store.notices


class Noted(RunFolder):
    """Notes in a trial what is finished once ``write`` has returned."""

    def __init__(self, trial: Trial, scenario, **options) -> None:
        super().__init__(trial.root / "outputs", scenario, command=["dcsim", "run"], **options)
        self.trial = trial

    def write(self, ledgers: Ledgers) -> None:
        """Keep runs, and note them."""
        super().write(ledgers)
        self.trial.finished.setdefault(self.folder, set()).update(ledgers.replications.tolist())


@dataclass(frozen=True)
class Verb:
    """``prepare`` makes what is there before, on a sound disk; ``act`` is what the disk fails under; ``again`` is what
    the user does then. ``keeps``: whether what ``prepare`` finished must still be there."""

    prepare: Callable[[Trial], object]
    act: Callable[[Trial], object]
    again: Callable[[Trial], object]
    keeps: bool = True


@contextmanager
def few() -> Iterator[None]:
    """Let the rules for many runs be at work with few; nothing waits for the disk, whose power never fails here."""
    with (
        patch("os.fsync", lambda descriptor: None),
        patch("dcsim.montecarlo.parquet_files.GROUP", GROUP),
        patch("dcsim.montecarlo.run_folder.SMALL", SMALL),
        patch("dcsim.montecarlo.run_folder.ENOUGH", ENOUGH),
    ):
        yield


def nothing(trial: Trial) -> None:
    """There is nothing before."""


def fresh(trial: Trial) -> None:
    """Run from the start."""
    trial.run(trial.folder())


def resumed(trial: Trial) -> None:
    """Run with --resume."""
    trial.run(trial.folder(), resume=True)


def by_threes(trial: Trial) -> None:
    """Run from the start in tasks of three."""
    trial.run(trial.folder(), chunk=3)


def half_done(trial: Trial) -> None:
    """Leave what a killed run leaves: two of six finished, nothing put together."""
    store = trial.folder()
    store.open(N)
    for number in (4, 1):
        store.write(Ledgers.of([fake(small(), number)]))
    store._release()


def three(trial: Trial) -> None:
    """Finish a run of three."""
    trial.run(trial.folder(), n=3)


def ten(trial: Trial, resume: bool = True) -> None:
    """Finish a run of ten, in three row groups."""
    trial.run(trial.folder(), n=10, resume=resume)


def one_bad_bit(trial: Trial) -> None:
    """Damage one of three row groups of a finished run of ten."""
    ten(trial, resume=False)
    store = trial.folder()
    path = store.folder / REPLICATIONS / ALL
    content = bytearray(path.read_bytes())
    group = store.parquet.read(path).ledgers
    assert len(group) == 3
    content[5000] ^= 1
    path.write_bytes(content)
    lost = store.parquet.read(path).lost
    assert len(lost) == 1
    trial.finished[store.folder] -= set(range(lost[0].lowest, lost[0].lowest + lost[0].runs))


def set_aside(trial: Trial) -> None:
    """Leave a file that could not be read once beside a run that went on without it."""
    three(trial)
    path = trial.folder().folder / REPLICATIONS / ALL
    path.rename(path.with_name(f"{ALL}.unread-1"))


def spoilt_manifest(trial: Trial) -> None:
    """Damage the manifest of a run that was killed."""
    half_done(trial)
    (trial.folder().folder / MANIFEST).write_bytes(b'{"program": "dcs')


def two(trial: Trial) -> tuple[Noted, Noted]:
    """The folders of two runs that are compared."""
    return trial.folder(), trial.folder(small(name="other", seed=4))


def compared(trial: Trial, resume: bool = False) -> None:
    """Compare two runs, and write the report of both."""
    stores = two(trial)
    samples = trial.run(*stores, n=3, resume=resume)
    for store, sample in zip(stores, samples, strict=True):
        keep_table(sample, store.folder)
    group = write_group([store.folder for store in stores], ["dcsim", "compare"])
    write(group / "report.html")
    assert members(group) == [store.folder.resolve() for store in stores]


def compared_again(trial: Trial) -> None:
    """Compare two runs with --resume."""
    compared(trial, resume=True)


def write(path: Path) -> None:
    """Write a report as `dcsim report` does."""
    make_folder(path.parent)
    with output(path) as file:
        for piece in ("<!doctype html>", "x" * 3000, "</html>"):
            file.write(piece.encode())


def reported(trial: Trial) -> None:
    """Read a run back and write its report over an earlier one, which is private, and one elsewhere."""
    folder = trial.folder().folder
    assert Manifest.read(folder).wanted == 3
    assert len(read_sample(folder)) == 3
    write(folder / "report.html")
    write(trial.root / "new" / "folder" / "report.html")


def private_report(trial: Trial) -> None:
    """Finish a run of three whose report only its owner may read."""
    three(trial)
    report = trial.folder().folder / "report.html"
    report.write_text("old")
    report.chmod(0o600)


def with_events(trial: Trial) -> None:
    """Write the event log of a run, and read it."""
    folder = trial.folder().folder
    write_events(folder, small(), 0)
    assert read_events(folder, 0).num_rows


def shard(number: int) -> Callable[[Trial], None]:
    """Return a verb that runs one of two shards with --resume."""

    def run(trial: Trial) -> None:
        part = Shard(number, 2)
        trial.run(trial.folder(shard=part), shard=part, resume=True)

    return run


def both_shards(trial: Trial) -> None:
    """Finish both shards of a run."""
    shard(1)(trial)
    shard(2)(trial)


def merged(trial: Trial) -> None:
    """Put shards together, as `dcsim merge` does."""
    for each in merge([trial.root / "outputs"]):
        keep_table(read_sample(each.folder), each.folder)


def shards_beside_a_run(trial: Trial) -> None:
    """Finish both shards of a run, beside an earlier run of three."""
    three(trial)
    (trial.folder().folder / "report.html").write_text("old")
    both_shards(trial)


def to_a_precision(trial: Trial, resume: bool = False) -> None:
    """Run until a look at six is the last."""
    trial.run(trial.folder(precision="0.1 pp"), n=3, resume=resume, more=lambda samples: [N])


def to_a_precision_again(trial: Trial) -> None:
    """Run to a precision with --resume."""
    to_a_precision(trial, resume=True)


VERBS = {
    "run": Verb(nothing, fresh, resumed),
    "run, tasks of three": Verb(nothing, by_threes, resumed),
    "run --precision": Verb(nothing, to_a_precision, to_a_precision_again),
    "run over an earlier run": Verb(three, fresh, resumed, keeps=False),
    "run --resume, killed": Verb(half_done, resumed, resumed),
    "run --resume, longer": Verb(three, resumed, resumed),
    "run --resume, finished": Verb(ten, ten, ten),
    "run --resume, one bad bit": Verb(one_bad_bit, ten, ten),
    "run --resume, set aside": Verb(set_aside, resumed, resumed),
    "run --resume, bad manifest": Verb(spoilt_manifest, resumed, resumed),
    "run --events": Verb(three, with_events, with_events),
    "run --shard 2/2": Verb(nothing, shard(2), shard(2)),
    "compare": Verb(nothing, compared, compared_again),
    "compare --resume": Verb(compared, compared_again, compared_again),
    "merge": Verb(both_shards, merged, merged),
    "merge over an earlier run": Verb(shards_beside_a_run, merged, merged),
    "report": Verb(private_report, reported, reported),
}
"""What is done with run folders, by name."""


def plant(root: Path) -> dict[Path, bytes]:
    """Put somebody's own files wherever dcsim writes, and return them."""
    mine: dict[Path, bytes] = {}
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in ("notes.md", "report.txt", ".mine.tmp"):
            mine[folder / name] = f"of {name}".encode()
    for path, content in mine.items():
        path.write_bytes(content)
    return mine


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder with its bytes and permissions."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def copy(source: Path, target: Path) -> None:
    """Make a copy of a tree."""
    shutil.copytree(source, target, symlinks=True)
