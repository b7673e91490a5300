"""What faults at every call of a run folder found (tests/faults), as a user meets it."""

import json
import os
import shutil

import pytest

from dcsim.montecarlo import RunFolder, StoreError, replicate_many
from dcsim.montecarlo.manifest import BACKUP, MANIFEST, Manifest, read_manifest
from dcsim.montecarlo.parquet_files import ParquetFiles
from tests.unit.montecarlo_fakes import fake, replicate, small


def run(root, n):
    """A run with a folder, in this process."""
    store = RunFolder(root, small())
    return store, replicate(small(), n, workers=1, store=store, simulate=fake)


def files(folder):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def again(folder, n=3):
    """Resume a run; return what the user is told, and check that no run was simulated for nothing."""
    store = RunFolder(folder.parent, small())
    replicate(small(), n, workers=1, store=store, resume=True, simulate=fake)
    return store.notices


def test_a_kill_between_the_manifest_and_its_replications_is_harmless(tmp_path):
    """A folder with a manifest and no replications is a run of which nothing is finished."""
    store, _ = run(tmp_path, 3)
    whole = files(store.folder)
    shutil.rmtree(store.folder / "replications")
    assert again(store.folder) == []
    assert files(store.folder) == whole


def test_any_bit_of_a_manifest(tmp_path):
    """Whichever bit of a copy is damaged, the other is believed, and a run with --resume writes both again."""
    store, _ = run(tmp_path, 3)
    whole = files(store.folder)
    truth = read_manifest(store.folder)
    for name in (MANIFEST, BACKUP):
        path, content = store.folder / name, whole[name]
        for position in range(len(content)):
            path.write_bytes(
                content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
            )
            assert read_manifest(store.folder) == truth, (name, position)
        for length in range(0, len(content), 97):
            path.write_bytes(content[:length])
            assert read_manifest(store.folder) == truth, (name, length)
        (told,) = again(store.folder)
        assert told == f"{path} is damaged; written again"
        assert files(store.folder) == whole


def test_a_lost_manifest_is_written_again_from_the_files_of_runs(tmp_path):
    """Without any manifest the files of runs say whose they are; without these the folder is nobody's."""
    store, _ = run(tmp_path, 3)
    whole = files(store.folder)
    for name in (MANIFEST, BACKUP):
        (store.folder / name).unlink()
    (told,) = again(store.folder)
    assert told == f"{store.folder / MANIFEST}: lost; written again from what the files of runs say"
    assert files(store.folder) == whole


@pytest.mark.parametrize("kind", ["pipe", "endless", "huge", "folder"])
def test_a_manifest_that_is_no_regular_file(tmp_path, kind):
    """A pipe is not waited for, an endless or huge file does not fill the memory; the second copy is read."""
    store, _ = run(tmp_path, 3)
    path = store.folder / MANIFEST
    path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "huge":
            with path.open("wb") as file:
                file.truncate(10**11)
        case "folder":
            path.mkdir()
    assert Manifest.read(store.folder).wanted == 3
    (store.folder / BACKUP).unlink()
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read: is "):
        Manifest.read(store.folder)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_file_that_cannot_be_read_now_is_not_lost(tmp_path, monkeypatch, error):
    """It is set aside under a name of its own and said; the next time it is read again and nothing else is left."""
    store, _ = run(tmp_path, 5)
    whole = files(store.folder)
    path = store.folder / "replications/all.parquet"
    read = RunFolder(tmp_path, small()).parquet.read

    def refused(self, file):
        if file == path:
            raise error
        return read(file)

    monkeypatch.setattr(ParquetFiles, "read", refused)
    (told,) = again(store.folder, 5)
    why = error.strerror if isinstance(error, OSError) else "not enough memory"
    assert told == (f"{path}: cannot be read now ({why}); kept as all.parquet.unread-1, its replications are run again")
    aside = path.with_name("all.parquet.unread-1")
    assert aside.read_bytes() == whole["replications/all.parquet"]
    told = again(store.folder, 5)
    assert told[0].startswith(f"{path}: cannot be read now ({why}); kept as all.parquet.unread-2")
    assert told[1:] == [f"{aside}: can be read again; its replications are kept"]
    monkeypatch.undo()
    aside = aside.with_name("all.parquet.unread-2")
    assert again(store.folder, 5) == [f"{aside}: can be read again; its replications are kept"]
    assert files(store.folder) == whole


def test_one_bad_bit_costs_its_row_group(tmp_path):
    """Of 4,000 runs in row groups of 1,024 a bit costs 1,024, in the last group 928, and in the footer none."""
    n = 4000
    store = RunFolder(tmp_path, small())
    replicate(small(), n, workers=1, store=store, simulate=fake, chunk=1000)
    whole = files(store.folder)
    path, content = store.folder / "replications/all.parquet", whole["replications/all.parquet"]
    groups = metadata(path)
    assert [group[1] for group in groups] == [1024, 1024, 1024, 928]
    end = groups[-1][2] + groups[-1][3]
    places = [(group[2] + group[3] // 2, group[1]) for group in groups]
    for position, lost in [*places, (end + 8, 0), (end + 3000, 0), (len(content) - 1, 0), (len(content) - 3000, 0)]:
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        simulated = []

        def counted(scenario, replication, simulated=simulated):
            simulated.append(replication)
            return fake(scenario, replication)

        store = RunFolder(tmp_path, small())
        replicate(small(), n, workers=1, store=store, resume=True, simulate=counted, chunk=1000)
        (told,) = store.notices
        assert len(simulated) == lost
        damage = f"{lost:,} of its replications are damaged" if lost else "its footer is damaged"
        assert told.startswith(f"{path}: {damage}")
        assert told.endswith(f"the other {n - lost:,} are kept")
        assert files(store.folder) == whole


def metadata(path):
    """The row groups that a file's footer tells of."""
    from pyarrow import parquet

    return json.loads(parquet.read_metadata(path).metadata[b"dcsim.row_groups"])


def test_more_runs_than_the_first_look_are_not_simulated_again(tmp_path):
    """A run to a precision that is resumed takes all that is finished, also what a later look had asked for."""

    def until_six(simulate, resume):
        store = RunFolder(tmp_path, small(), precision="1 pp")
        run = [(small(), store)]
        replicate_many(run, 3, workers=1, chunk=1, resume=resume, simulate=simulate, more=lambda samples: [6])
        return files(store.folder)

    def never(scenario, replication):
        raise AssertionError(replication)

    assert until_six(fake, False) == until_six(never, True)


def test_what_became_of_files_is_said_also_when_the_run_fails(tmp_path):
    """A damaged file that was removed is named on whatever ends the run."""
    store, _ = run(tmp_path, 3)
    path = store.folder / "replications/all.parquet"
    path.write_bytes(b"")

    def fails(scenario, replication):
        raise ArithmeticError("the sum is wrong")

    with pytest.raises(ArithmeticError) as caught:
        replicate(small(), 3, workers=1, store=RunFolder(tmp_path, small()), resume=True, simulate=fails)
    assert f"{path}: not a whole parquet file; removed, its replications are run again" in caught.value.__notes__


def test_bytes_that_were_put_in_are_taken_out(tmp_path):
    """A file that has grown anywhere, also where nothing is read, is written anew."""
    store, _ = run(tmp_path, 3)
    whole = files(store.folder)
    path, content = store.folder / "replications/all.parquet", whole["replications/all.parquet"]
    ((_, _, start, length, _),) = metadata(path)
    for position in (0, 4, start + length // 2, start + length, start + length + 7, len(content) - 8, len(content)):
        path.write_bytes(content[:position] + b"PAR1x" + content[position:])
        assert len(again(store.folder)) == 1, position
        assert files(store.folder) == whole, position
