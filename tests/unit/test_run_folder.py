"""The run folder: what it holds, what it replaces, what it refuses, what it survives."""

import json
import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

from dcsim.ledger import Ledgers
from dcsim.montecarlo import RunFolder, Sample, StoreError
from dcsim.montecarlo.manifest import BACKUP, MANIFEST
from tests.unit.montecarlo_fakes import edit_manifest, fake, replicate, small


def run(root, n, *, resume=False, scenario=None, **options):
    """A run with a store, in this process."""
    scenario = scenario or small()
    store = RunFolder(root, scenario, **options)
    return store, replicate(scenario, n, workers=1, store=store, resume=resume, simulate=fake)


def files(folder):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def half_done(root, n, numbers):
    """A folder as a killed run leaves it: n wanted, the given ones finished, nothing closed."""
    store = RunFolder(root, small())
    store.open(n)
    for number in numbers:
        store.write(Ledgers.of([fake(small(), number)]))
    store._release()  # as the end of a process does
    return store


def same(one, other):
    """Whether two samples hold the same numbers."""
    names = ("replications", "gpu_ms", "overhead_gpu_ms", "strikes", "failures", "drawn")
    return all(np.array_equal(getattr(one.ledgers, name), getattr(other.ledgers, name)) for name in names)


def test_a_finished_run_is_four_files(tmp_path):
    """A run leaves its scenario, its manifest and one parquet file, in a folder named by scenario, hash and seed."""
    from pyarrow import parquet

    store, sample = run(tmp_path, 3, command=["run", "small.toml", "-n", "3"])
    assert store.folder == tmp_path / f"small-{store.sha256[:8]}-3"
    assert sorted(files(store.folder)) == [
        "manifest.backup.json", "manifest.json", "replications/all.parquet", "scenario.toml"
    ]  # fmt: skip
    assert (store.folder / MANIFEST).read_bytes() == (store.folder / BACKUP).read_bytes()
    table = parquet.read_table(store.folder / "replications")
    assert table.equals(sample.to_arrow())
    assert table.schema.field("useful_gpu_ms").metadata[b"unit"] == b"GPU-ms"
    manifest = json.loads((store.folder / MANIFEST).read_text())
    assert manifest["schema"] == 5
    assert manifest["scenario_sha256"] == store.sha256
    assert manifest["seed"] == 3
    assert manifest["replications"] == {"wanted": 3, "finished": 3}
    assert manifest["command"] == ["run", "small.toml", "-n", "3"]


def test_each_replication_is_on_disk_once_it_is_finished(tmp_path):
    """Before the end every finished replication is a whole file of its own, and no other file is left."""
    store = half_done(tmp_path, 4, [2, 0])
    folder = store.folder / "replications"
    assert sorted(path.name for path in folder.iterdir()) == ["part-00000000-1.parquet", "part-00000002-1.parquet"]


def test_a_resumed_run_leaves_the_same_bytes(tmp_path):
    """Finishing a half-finished run, or extending a finished one, leaves what one run leaves, byte by byte."""
    whole, sample = run(tmp_path / "whole", 5)
    half_done(tmp_path / "half", 5, [4, 1])
    half, resumed = run(tmp_path / "half", 5, resume=True)
    run(tmp_path / "longer", 2)
    longer, extended = run(tmp_path / "longer", 5, resume=True)
    assert files(half.folder) == files(whole.folder)
    assert files(longer.folder) == files(whole.folder)
    assert same(resumed, sample)
    assert same(extended, sample)


def test_resuming_simulates_only_what_is_missing(tmp_path):
    """Replications that are on disk are not simulated again."""
    half_done(tmp_path, 5, [4, 1])
    asked = []

    def counted(scenario, replication):
        asked.append(replication)
        return fake(scenario, replication)

    replicate(small(), 5, workers=1, store=RunFolder(tmp_path, small()), resume=True, simulate=counted)
    assert asked == [0, 2, 3]


def test_a_smaller_resumed_run_uses_the_first_and_keeps_the_rest(tmp_path):
    """Two of five finished replications are used, and all five stay on disk."""
    store, sample = run(tmp_path, 5)
    before = (store.folder / "replications/all.parquet").read_bytes()
    store, fewer = run(tmp_path, 2, resume=True)
    assert fewer.replications.tolist() == [0, 1]
    assert fewer.loss.tolist() == sample.loss[:2].tolist()
    assert (store.folder / "replications/all.parquet").read_bytes() == before
    assert json.loads((store.folder / MANIFEST).read_text())["replications"] == {"wanted": 2, "finished": 5}


def test_without_resume_an_earlier_run_is_replaced(tmp_path):
    """A new run removes what the earlier one left, reads none of it, and leaves what is not ours."""
    store, _ = run(tmp_path, 5)
    (store.folder / "report.html").write_text("old")
    (store.folder / "events").mkdir()
    (store.folder / "events/replication-00000000.parquet").write_text("old")
    mine = ("notes.md", "report.txt", "events/notes.md", "replications/notes.md", ".mine.tmp")
    for name in mine:
        (store.folder / name).write_text("mine")
    (store.folder / "replications/part-00000001-1.parquet").write_text("old")
    run(tmp_path, 2)
    whole, _ = run(tmp_path / "other", 2)
    assert files(store.folder) == files(whole.folder) | dict.fromkeys(mine, b"mine")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"program": "other"}', b"\xff", b"[" * 100_000])
def test_a_folder_that_is_no_run_is_refused(tmp_path, content, resume):
    """A folder with anything in it but a run of dcsim is neither read nor touched."""
    folder = RunFolder(tmp_path, small()).folder
    (folder / "replications").mkdir(parents=True)
    (folder / "replications/precious.parquet").write_text("mine")
    if content is not None:
        (folder / MANIFEST).write_bytes(content)
    before = files(folder)
    with pytest.raises(StoreError, match="not a run of dcsim and not empty") as caught:
        run(tmp_path, 2, resume=resume)
    assert str(folder) in str(caught.value)
    assert files(folder) == before


def test_an_empty_folder_is_used(tmp_path):
    """An empty folder, or one where a first write was killed, is no obstacle."""
    folder = RunFolder(tmp_path, small()).folder
    folder.mkdir()
    (folder / ".dcsim-0123456789abcdef.tmp").write_text("{")
    run(tmp_path, 1)
    assert (folder / "replications/all.parquet").is_file()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("scenario_sha256", "0" * 64), ("seed", 4), ("shard", [1, 8]), ("dcsim", "0.0.1"), ("schema", 2)],
)
def test_a_run_of_anything_else_is_not_resumed(tmp_path, key, value):
    """Another scenario, seed, shard, version or schema in the folder is never mixed with this one."""
    store, _ = run(tmp_path, 2)
    edit_manifest(store.folder, **{key: value})
    before = files(store.folder)
    with pytest.raises(StoreError, match=f"holds a run with {key}"):
        run(tmp_path, 2, resume=True)
    assert files(store.folder) == before


def spoil(kind, part, tmp_path):
    """Damage a file of replications."""
    from pyarrow import parquet

    content = part.read_bytes()
    if kind == "truncated":
        part.write_bytes(content[:-100])
    elif kind == "empty":
        part.write_bytes(b"")
    elif kind == "other bytes":
        part.write_bytes(b"PAR1" + bytes(1000) + b"PAR1")
    elif kind == "one bit":  # the last one of the first column's page
        column = parquet.read_metadata(part).row_group(0).column(0)
        last = column.data_page_offset + column.total_compressed_size - 1
        part.write_bytes(content[:last] + bytes([content[last] ^ 1]) + content[last + 1 :])
    elif kind == "other scenario":
        other, _ = run(tmp_path / "foreign", 1, scenario=small(seed=4))
        part.write_bytes((other.folder / "replications/all.parquet").read_bytes())
    elif kind == "half the owners":
        parquet.write_table(parquet.read_table(part).slice(0, 2), part)
    elif kind == "does not conserve":
        table = parquet.read_table(part)
        index = table.column_names.index("idle_gpu_ms")
        more = [value + 1 for value in table["idle_gpu_ms"].to_pylist()]
        parquet.write_table(table.set_column(index, table.schema.field(index), [more]), part)


@pytest.mark.parametrize(
    "kind",
    ["truncated", "empty", "other bytes", "one bit", "other scenario", "half the owners", "does not conserve"],
)
@pytest.mark.parametrize("finished", [False, True])
def test_a_damaged_file_is_run_again_with_a_notice(tmp_path, kind, finished):
    """Whatever is wrong with a file, its replications are run again and the result is that of a clean run."""
    whole, _ = run(tmp_path / "whole", 3)
    if finished:
        store, _ = run(tmp_path / "damaged", 3)
        part = store.folder / "replications/all.parquet"
    else:
        part = half_done(tmp_path / "damaged", 3, [0, 1]).folder / "replications/part-00000001-1.parquet"
    spoil(kind, part, tmp_path)
    store, _ = run(tmp_path / "damaged", 3, resume=True)
    (notice,) = store.notices
    assert notice.startswith(str(part))
    assert files(store.folder) == files(whole.folder)


def test_a_kill_between_the_whole_and_the_removal_of_its_parts_is_harmless(tmp_path):
    """Where parts and the whole are both there, resuming reads both and leaves the whole."""
    store, _ = run(tmp_path, 3)
    whole = files(store.folder)
    half_done(tmp_path / "parts", 3, [0, 1, 2])
    for part in (tmp_path / "parts").rglob("part-*"):
        part.rename(store.folder / "replications" / part.name)
    (store.folder / "replications/.dcsim-0123456789abcdef.tmp").write_text("half")
    store, _ = run(tmp_path, 3, resume=True)
    assert store.notices == []
    assert files(store.folder) == whole


def test_two_runs_never_write_to_one_folder(tmp_path):
    """While one run has the folder another is refused; afterwards it is not."""
    first = RunFolder(tmp_path, small())
    first.open(1)
    with pytest.raises(StoreError, match="another run is writing here"):
        RunFolder(tmp_path, small()).open(1)
    first.close()
    run(tmp_path, 1)


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    """A file where a folder should be is a StoreError that names the path and the system's reason."""
    (tmp_path / "outputs").write_text("a file")
    with pytest.raises(StoreError) as caught:
        run(tmp_path / "outputs", 1)
    assert str(tmp_path / "outputs") in str(caught.value)
    assert "\n" not in str(caught.value)


FULL = """
import resource, signal, sys
from pathlib import Path
from dcsim.ledger import Ledgers
from dcsim.montecarlo import RunFolder, StoreError
from tests.unit.montecarlo_fakes import replicate
from tests.unit.montecarlo_fakes import fake, small

def limited(scenario, replication):
    if replication == 2:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    return fake(scenario, replication)

try:
    replicate(small(), 5, workers=1, store=RunFolder(Path(sys.argv[1]), small()), simulate=limited)
except StoreError as error:
    print(error)
"""


def child(code, *arguments, **options):
    """Start a python with a program text, with this one's import path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_full_disk_stops_the_run_and_keeps_what_is_finished(tmp_path):
    """When the system refuses to write, the run ends with a StoreError and the finished replications can be resumed."""
    with child(FULL, tmp_path, stderr=subprocess.STDOUT) as process:
        said, _ = process.communicate()
    assert "File too large" in said
    assert len(said.splitlines()) == 1
    store = RunFolder(tmp_path, small())
    assert sorted(path.name[-14:] for path in store.folder.rglob("part-*")) == ["0000-1.parquet", "0001-1.parquet"]
    assert not list(store.folder.rglob("*.tmp"))
    store, _ = run(tmp_path, 5, resume=True)
    assert store.notices == []
    assert files(store.folder) == files(run(tmp_path / "whole", 5)[0].folder)


KILLED = """
import sys
from pathlib import Path
from dcsim.ledger import Ledgers
from dcsim.montecarlo import RunFolder
from tests.unit.montecarlo_fakes import replicate
from tests.unit.montecarlo_fakes import slow, small

replicate(small(), 60, workers=2, store=RunFolder(Path(sys.argv[1]), small()), simulate=slow)
"""


def test_kill_9_in_the_middle_loses_nothing_that_is_finished(tmp_path):
    """After kill -9 every file is whole and true, and resuming leaves the bytes of an undisturbed run."""
    with child(KILLED, tmp_path / "killed") as process:
        while len(list((tmp_path / "killed").rglob("part-*.parquet"))) < 5:
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
    store = RunFolder(tmp_path / "killed", small())
    kept = len(list(store.folder.rglob("part-*.parquet")))
    ledgers = store.open(60, resume=True)
    assert store.notices == []
    assert len(store.finished) == kept >= 5
    found = Sample(small(), Ledgers.joined(ledgers))
    assert same(found, Sample.of(small(), [fake(small(), number) for number in store.finished.tolist()]))
    store.close()
    store, _ = run(tmp_path / "killed", 60, resume=True)
    assert files(store.folder) == files(run(tmp_path / "whole", 60)[0].folder)


def test_a_store_error_crosses_processes():
    """A StoreError is made again from its args, message and all."""
    error = StoreError("outputs/x", "No space left on device")
    assert str(pickle.loads(pickle.dumps(error))) == "outputs/x: No space left on device"
