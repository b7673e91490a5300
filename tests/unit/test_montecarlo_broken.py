"""Things broken for real in runs of tasks of several replications: the bytes that are left are those of a quiet run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from dcsim.montecarlo import RunFolder, Shard, StoreError, WorkerDied, replicate_many
from tests.unit.montecarlo_fakes import always_dies, dies_once, fake, replicate, slow, small

CHUNK = 4


def files(folder):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def quiet(root, n):
    """What an undisturbed run leaves."""
    store = RunFolder(root, small())
    replicate(small(), n, workers=1, store=store, simulate=fake)
    return files(store.folder)


def child(code, *arguments):
    """Start a python with a program text, with this one's import path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_a_worker_killed_in_the_middle_of_a_task_changes_no_byte(tmp_path):
    """The third of four replications kills its worker; another does all four."""
    store = RunFolder(tmp_path / "killed", small())
    dying = partial(dies_once, grave=tmp_path / "grave")
    replicate(small(), 12, workers=2, store=store, simulate=dying, chunk=CHUNK)
    assert (tmp_path / "grave").exists()
    assert files(store.folder) == quiet(tmp_path / "quiet", 12)


def workers_of(process):
    """Process ids of the workers that a process has started, from /proc."""
    found = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        for pid in (thread / "children").read_text().split():
            with suppress(OSError):  # it has just ended
                if b"dcsim.montecarlo.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers in /proc")
def test_workers_killed_from_outside_change_no_byte(tmp_path):
    """SIGKILL to every worker there is, twice while tasks are under way."""
    store, killed = RunFolder(tmp_path / "killed", small()), []

    def kill(done, total, running):
        if done in (8, 24):  # a task dies twice at most
            for pid in workers_of(os.getpid()):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    replicate(small(), 40, workers=2, store=store, simulate=slow, chunk=CHUNK, progress=kill)
    assert len(set(killed)) >= 2
    assert files(store.folder) == quiet(tmp_path / "quiet", 40)


def test_a_task_that_kills_every_worker_is_named(tmp_path):
    """After three workers the run ends, names the task's replications, and keeps the other tasks."""
    store = RunFolder(tmp_path, small())
    with pytest.raises(WorkerDied) as caught:
        replicate(small(), 20, workers=2, store=store, simulate=always_dies, chunk=CHUNK)
    assert caught.value.__notes__ == ["in replications 0 to 3 of 'small'"]
    assert {*range(4)}.isdisjoint(store.finished.tolist())


KILLED = """
import sys
from pathlib import Path
from dcsim.montecarlo import RunFolder, Shard, replicate_many
from tests.unit.montecarlo_fakes import slow, small

shard = Shard.read(sys.argv[2])
store = RunFolder(Path(sys.argv[1]), small(), shard=shard)
replicate_many([(small(), store)], 60, workers=2, shard=shard, simulate=slow, chunk=4)
"""


@pytest.mark.parametrize("shard", ["1/1", "2/2"])
def test_kill_9_of_the_run_loses_no_finished_task(tmp_path, shard):
    """After kill -9, of a run or of a shard, every part is read, and with the rest gives the quiet run's bytes."""
    part = Shard.read(shard)
    with child(KILLED, tmp_path / "killed", shard) as process:
        while len(list((tmp_path / "killed").rglob("part-*.parquet"))) < 3:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.002)
        process.kill()
    store = RunFolder(tmp_path / "killed", small(), shard=part)
    kept = list(store.folder.rglob("part-*.parquet"))
    finished = sum(int(path.stem.rpartition("-")[2]) for path in kept)
    asked = []

    def counted(scenario, replication):
        asked.append(replication)
        return fake(scenario, replication)

    replicate_many([(small(), store)], 60, workers=1, shard=part, simulate=counted, resume=True, chunk=7)
    assert store.notices == []
    assert len(asked) == len(part.numbers(60)) - finished
    clean = RunFolder(tmp_path / "quiet", small(), shard=part)
    replicate_many([(small(), clean)], 60, workers=1, shard=part, simulate=fake)
    assert files(store.folder) == files(clean.folder)


def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path):
    """On a file system that is really full, tasks that are finished stay, and with room the run is completed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=96k", "dcsim-test", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("may not mount a tmpfs")
    try:
        store = RunFolder(disk, small())
        with pytest.raises(StoreError, match="No space left on device"):
            replicate(small(), 400, workers=1, store=store, simulate=fake, chunk=CHUNK)
        assert not list(disk.rglob("*.tmp"))
        finished = store.finished.tolist()
        assert finished
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        again = RunFolder(disk, small())
        replicate(small(), 400, workers=1, store=again, simulate=fake, resume=True, chunk=CHUNK)
        assert again.notices == []
        assert files(again.folder) == quiet(tmp_path / "quiet", 400)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from dcsim.montecarlo import RunFolder, StoreError
from tests.unit.montecarlo_fakes import replicate
from tests.unit.montecarlo_fakes import fake, small

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = RunFolder(Path(sys.argv[1]), small())

def limited(done, total, running):
    if done == total:  # the parts are written; the one file of all is larger than this
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

try:
    replicate(small(), 2000, workers=1, store=store, simulate=fake, chunk=100, progress=limited)
except StoreError as error:
    print(error)
"""


@pytest.mark.exhaustive
def test_no_room_for_the_last_file_keeps_the_parts(tmp_path):
    """When all is simulated and only the one file of all does not fit, no replication is lost and none is run again."""
    with child(LIMITED, tmp_path / "limited") as process:
        said, _ = process.communicate()
    assert "all.parquet: File too large" in said
    assert len(said.splitlines()) == 1
    store = RunFolder(tmp_path / "limited", small())
    assert len(list(store.folder.rglob("part-*.parquet"))) == 20
    assert not list(store.folder.rglob("all.parquet"))
    assert not list(store.folder.rglob("*.tmp"))

    def never(scenario, replication):
        raise AssertionError(replication)

    replicate(small(), 2000, workers=1, store=store, simulate=never, resume=True)
    assert files(store.folder) == quiet(tmp_path / "quiet", 2000)
