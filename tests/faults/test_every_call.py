"""A fault at every call that a run folder makes to the operating system: nothing finished is lost, no byte differs."""

import json
import os
import stat
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from dcsim import files
from dcsim.files import StoreError, write_whole
from dcsim.montecarlo import manifest, parquet_files
from tests.faults.disk import FaultyDisk, Killed
from tests.faults.trial import FAULTS, Bench, Choose, all_faults
from tests.faults.verbs import VERBS

SEED = 20261128


def last(counts):
    """The last of some counts."""
    *_, count = counts
    return count


LONG = ("compare", "run, tasks of three", "run --resume, longer", "run --resume, set aside")
"""Verbs whose faults only `scripts/test --exhaustive` tries: others, such as compare --resume, make the same calls."""


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in LONG])
def test_a_fault_at_many_calls(verb):
    """A fault at about every second call of a verb, a kill or another by seed, costs nothing that was finished.

    The next try runs nothing of it again and leaves the bytes of an undisturbed one; nobody's file is touched; each
    message is one line with its path.
    """
    count = last(all_faults(verb, Choose(SEED)))
    assert count.wrong == []
    assert count.tried > count.calls / 6 > 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("verb", VERBS)
def test_every_fault_at_every_call(verb):
    """As above, with all faults at every call."""
    count = last(all_faults(verb))
    assert count.wrong == []
    assert count.tried > 4 * count.calls


# --- the simulator finds the faults that it was made for --------------------------------------------------------------


@contextmanager
def no_folder_is_an_error():
    """Take back that a folder that is not there holds nothing."""
    with patch.object(files, "names_in", lambda folder: sorted(files.disk.names(folder))):
        yield


@contextmanager
def all_is_damage():
    """Take back that what cannot be read now is not damaged."""
    read = parquet_files.ParquetFiles.read

    def doubting(self, path):
        try:
            return read(self, path)
        except (OSError, MemoryError) as error:
            raise parquet_files.DamagedError("not a whole parquet file") from error

    with patch.object(parquet_files.ParquetFiles, "read", doubting):
        yield


@contextmanager
def one_manifest():
    """Take back that the manifest is kept twice, and that files of runs say whose they are."""

    def alone(folder):
        try:
            return manifest.Copies(json.loads(files.read_whole(folder / "manifest.json", 10**6)), ())
        except FileNotFoundError:
            return manifest.Copies(None, ())
        except ValueError as error:
            raise StoreError(folder, "is not a run of dcsim") from error

    with (
        patch.object(manifest, "copies", alone),
        patch("dcsim.montecarlo.run_folder.RunFolder._has_own_files", lambda self: False),
    ):
        yield


@contextmanager
def written_in_place():
    """Take back that a file appears whole."""

    @contextmanager
    def in_place(path):
        with files.on_disk(path):
            descriptor = files.disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                sink = files.Sink(descriptor)
                yield sink
                sink.finish()
            finally:
                files.disk.close(descriptor)

    with patch.object(files, "whole", in_place), patch.object(parquet_files, "whole", in_place):
        yield


@contextmanager
def never_synced():
    """Take back that a file is on the disk before it gets its name."""
    with patch.object(FaultyDisk, "sync", lambda self, descriptor: self._call("sync", lambda: None)):
        yield


@pytest.mark.parametrize(
    ("mend", "verb", "fault"),
    [
        (no_folder_is_an_error, "run", "kill"),
        (all_is_damage, "run --resume, killed", "EIO"),
        pytest.param(all_is_damage, "run --resume, longer", "memory", marks=pytest.mark.exhaustive),
        (one_manifest, "run --resume, bad manifest", "kill"),
        (written_in_place, "run", "torn"),
        (written_in_place, "report", "ENOSPC"),
        (never_synced, "run", "power"),
    ],
)
def test_a_mend_that_is_taken_back_is_noticed(tmp_path, mend, verb, fault):
    """Without each of these mends the simulator finds something wrong at some call; with it, it does not there."""
    try:
        with mend():
            found = next((at for at, count in enumerate(all_faults(verb, lambda at: (fault,)), 1) if count.wrong), None)
    except StoreError:  # already what is there before cannot be read
        found = 1
    assert found is not None
    assert Bench(verb, tmp_path / "bench").trial(found, fault) in ([], None)


# --- the disk itself --------------------------------------------------------------------------------------------------


def test_the_faulty_disk_does_what_it_says(tmp_path):
    """Refused: nothing there. Killed: nothing is done any more. Short: the writer goes on. Torn and power: zeros."""

    def write(fault, at):
        path, disk = tmp_path / f"{fault}-{at}", FaultyDisk(at, fault)
        with patch.object(files, "disk", disk):
            try:
                write_whole(path, b"x" * 3000)
            except (StoreError, Killed) as error:
                return type(error), path, disk
        return None, path, disk

    _, path, disk = write("", 0)
    assert disk.calls == ["status", "open", "lock", "write", "sync", "replace", "close"]
    assert path.read_bytes() == b"x" * 3000
    path.unlink()
    for at in range(1, 7):
        ended, path, disk = write("ENOSPC", at)
        assert (ended, disk.struck, list(tmp_path.iterdir())) == (
            None if at == 3 else StoreError,
            True,
            [path] * (at == 3),
        )
        path.unlink(missing_ok=True)
    ended, path, disk = write("short", 4)
    assert (ended, disk.calls.count("write"), path.read_bytes()) == (None, 2, b"x" * 3000)
    path.unlink()
    for fault, at, content in (
        ("kill", 5, b"x" * 3000),
        ("torn", 4, b"x" * 1024 + bytes(1976)),
        ("power", 5, bytes(3000)),
    ):
        ended, path, disk = write(fault, at)
        (left,) = tmp_path.iterdir()
        assert (ended, left.read_bytes()) == (Killed, content)
        with pytest.raises(Killed):
            disk.names(tmp_path)
        left.unlink()
    assert {"kill", "torn", "power", "short"} < set(FAULTS)


# --- only what is ours is written over --------------------------------------------------------------------------------


def test_a_name_that_another_user_can_guess_is_not_used(tmp_path):
    """A link that waits under the name of a temporary file is not followed, and names cannot be guessed."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    path = tmp_path / "report.html"
    (tmp_path / ".report.html.tmp").symlink_to(precious)
    write_whole(path, b"new")
    assert (precious.read_text(), path.read_bytes()) == ("mine", b"new")
    with patch("secrets.token_hex", lambda size: "0" * 2 * size):
        (tmp_path / f".dcsim-{'0' * 16}.tmp").symlink_to(precious)
        with pytest.raises(StoreError, match="File exists"):
            write_whole(path, b"newer")
    assert (precious.read_text(), path.read_bytes()) == ("mine", b"new")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_only_a_regular_file_is_replaced(tmp_path, kind):
    """A link, a pipe, a folder or a socket stays what it is, and the message says what it is."""
    path, precious = tmp_path / "x", tmp_path / "precious"
    precious.write_text("mine")
    words = {"link": "symbolic link"}
    match kind:
        case "link":
            path.symlink_to(precious)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "socket":
            os.mknod(path, stat.S_IFSOCK | 0o600)
    before = path.lstat()
    with pytest.raises(StoreError, match=f"is a {words.get(kind, kind)}; only a regular file is replaced"):
        write_whole(path, b"new")
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert precious.read_text() == "mine"


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path):
    """Writing to it is refused in a line; it stays a pipe."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="is a pipe that nobody reads"), files.output(tmp_path / "pipe") as file:
        file.write(b"new")
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_keeps_its_permissions(tmp_path):
    """A report that only its owner may read stays so when it is written again."""
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o600)
    write_whole(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_another_process_is_writing_is_not_removed(tmp_path):
    """What a killed process left is removed, what one that lives is writing is not, nor what only looks like it."""
    with files.whole(tmp_path / "x") as file:
        file.write(b"new")
        dead = tmp_path / ".dcsim-0123456789abcdef.tmp"
        dead.write_text("left")
        link = tmp_path / ".dcsim-00000000000000ff.tmp"
        link.symlink_to(tmp_path / "precious")
        pipe = tmp_path / ".dcsim-00000000000000fe.tmp"
        os.mkfifo(pipe)
        files.remove_unfinished(tmp_path)
        assert not dead.exists()
        assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "x").read_bytes() == b"new"
    assert link.is_symlink()
    assert pipe.is_fifo()
