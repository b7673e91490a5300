"""The folder of a run holds the outages that its traces replay in parquet files, whose hashes its manifest has."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcsim.files import StoreError
from dcsim.hazards.column import Column
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.montecarlo import RunFolder, Shard
from dcsim.montecarlo.manifest import read_manifest
from dcsim.montecarlo.merge import merge
from dcsim.montecarlo.run_reader import read_sample
from dcsim.montecarlo.runner import replicate_many
from dcsim.scenario import Scenario, load, read, sha256, to_toml
from dcsim.scenario.provenance import values
from tests.unit.montecarlo_fakes import edit_manifest, fake, small

Written = Callable[..., Scenario]


@pytest.fixture
def logged(tmp_path: Path) -> Written:
    """Return what loads a scenario with two traces of one log of so many outages, and a broken line."""

    def make(outages: int = 4) -> Scenario:
        rng = np.random.default_rng(11)
        at = np.cumsum(rng.exponential(100 / outages, outages)).round(4)
        lines = [
            f"{hour},{repair},n{node},{'gpu' if number % 2 else 'fan'}"
            for number, (hour, repair, node) in enumerate(
                zip(at, rng.integers(1, 9, outages), rng.integers(0, 8, outages), strict=True)
            )
        ]
        (tmp_path / "log.csv").write_text("start_h,repair_h,node,cause\n" + "\n".join(lines) + "\nx,1,n1,gpu\n")
        hazards = "".join(
            f'[[hazards]]\nname = "{cause}"\ncomponent = "node"\n[hazards.mtbf]\nkind = "trace"\nfile = "log.csv"\n'
            f'where = {{ cause = "{cause}" }}\nspan = "200 h"\nrepeat = true\n'
            for cause in ("gpu", "fan")
        )
        path = tmp_path / "mine.toml"
        path.write_text(
            'name = "logged"\nhorizon = "500 h"\nseed = 3\ncluster = { topology = "hgx-h100", gpus = 64 }\n'
            'jobs = [{ name = "a", gpus = 32, recovery = { kind = "fault-tolerant" } }]\n' + hazards
        )
        return load(path)

    return make


def run(scenario: Scenario, root: Path, *, resume: bool = False, shard: Shard | None = None) -> RunFolder:
    """Run four replications into a folder."""
    folder = RunFolder(root, scenario) if shard is None else RunFolder(root, scenario, shard=shard)
    keys = {} if shard is None else {"shard": shard}
    replicate_many([(scenario, folder)], 4, workers=1, simulate=fake, resume=resume, **keys)
    return folder


@pytest.mark.parametrize("outages", [4, 20_000])
def test_a_folder_stands_alone_and_holds_outages_as_parquet(logged: Written, tmp_path: Path, outages: int) -> None:
    """Few outages or more than a scenario file may hold: what is read back is what was run."""
    scenario = logged(outages)
    folder = run(scenario, tmp_path / "runs").folder
    (tmp_path / "log.csv").unlink()
    names = sorted(path.name for path in folder.glob("outages-*"))
    assert names == ["outages-1.parquet", "outages-2.parquet"]
    assert list(read_manifest(folder)["outages"]) == names
    text = (folder / "scenario.toml").read_text()
    assert "at = [" not in text
    assert len(text) < 4_000
    found = read_sample(folder).scenario
    assert found == scenario
    assert sha256(found) == sha256(scenario)
    trace = found.hazards[0].lifetime
    assert isinstance(trace, TraceLifetime)
    assert len(trace.times) == outages // 2
    assert trace.notes is not None


def test_a_changed_file_is_found_by_its_hash(logged: Written, tmp_path: Path) -> None:
    """One bit is enough; a run that is resumed says so and writes the file again."""
    scenario = logged()
    folder = run(scenario, tmp_path / "runs").folder
    path = folder / "outages-2.parquet"
    sound = path.read_bytes()
    path.write_bytes(sound[:40] + bytes([sound[40] ^ 1]) + sound[41:])
    with pytest.raises(StoreError, match=r"outages-2\.parquet: has changed since the run wrote it"):
        read_sample(folder)
    resumed = run(scenario, tmp_path / "runs", resume=True)
    assert any("outages-2.parquet: differs from what dcsim wrote; written again" in each for each in resumed.notices)
    assert path.read_bytes() == sound
    path.unlink()
    with pytest.raises(StoreError, match=r"outages-2\.parquet: No such file or directory; run it again"):
        read_sample(folder)
    run(scenario, tmp_path / "runs", resume=True)
    assert read_sample(folder).scenario == scenario


def test_other_outages_under_a_right_hash_are_another_scenario(logged: Written, tmp_path: Path) -> None:
    """The hash of the scenario covers what is in the files, too."""
    folder = run(logged(), tmp_path / "runs").folder
    other = run(logged(6), tmp_path / "others").folder
    content = (other / "outages-1.parquet").read_bytes()
    (folder / "outages-1.parquet").write_bytes(content)
    edit_manifest(folder, outages=read_manifest(folder)["outages"] | {"outages-1.parquet": sha(content)})
    with pytest.raises(StoreError, match="is not the scenario of this run"):
        read_sample(folder)


def sha(content: bytes) -> str:
    """Return a hash as a manifest has it."""
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_a_folder_from_before_is_read_and_resumed(logged: Written, tmp_path: Path) -> None:
    """Its scenario.toml lists the outages, and its manifest has no hashes of files."""
    scenario = logged()
    folder = run(scenario, tmp_path / "runs").folder
    for path in folder.glob("outages-*"):
        path.unlink()
    (folder / "scenario.toml").write_text(to_toml(scenario))
    edit_manifest(folder, "outages")
    assert read_sample(folder).scenario == scenario
    run(scenario, tmp_path / "runs", resume=True)
    assert (folder / "outages-1.parquet").exists()
    assert read_sample(folder).scenario == scenario


def test_shards_merge_to_what_one_machine_leaves(logged: Written, tmp_path: Path) -> None:
    """The outages' files too are those of a run in one piece."""
    scenario = logged()
    whole = run(scenario, tmp_path / "whole").folder
    for number in (1, 2):
        run(scenario, tmp_path / "shards", shard=Shard(number, 2))
    (merged,) = merge([tmp_path / "shards"])
    for name in ("scenario.toml", "manifest.json", "outages-1.parquet", "outages-2.parquet"):
        assert (merged.folder / name).read_bytes() == (whole / name).read_bytes()


def test_a_new_run_leaves_no_outages_of_an_earlier_one(tmp_path: Path) -> None:
    """A folder is of one scenario: files that it does not name are gone."""
    folder = run(small(), tmp_path / "runs").folder
    (folder / "outages-7.parquet").write_bytes(b"old")
    run(small(), tmp_path / "runs")
    assert not (folder / "outages-7.parquet").exists()
    assert "outages" not in read_manifest(folder)


def test_a_long_list_is_told_by_its_length(logged: Written) -> None:
    """Where a scenario is shown, twenty thousand outages are one text; a few are listed."""
    shown = {each.key: each.text for each in values(logged(20_000))}
    assert "at 10,000 values" in shown["hazards.gpu.mtbf"]
    few = {each.key: each.text for each in values(logged())}
    assert "values" not in few["hazards.gpu.mtbf"]


def test_keys_of_a_long_trace_can_be_set(logged: Written) -> None:
    """A scenario with more outages than a file lists is read again with another seed, and by its lists."""
    scenario = logged(20_002)
    again = read(scenario, seed=4)
    assert again.hazards == scenario.hazards
    assert sha256(read(again, seed=3)) == sha256(scenario)


@pytest.mark.parametrize("outages", [6, 20_002])
def test_a_single_outage_makes_another_scenario(logged: Written, outages: int) -> None:
    """A millisecond more of one repair, in a short list or a long one, is another scenario with another hash."""
    scenario = logged(outages)
    trace = scenario.hazards[0].lifetime
    assert isinstance(trace, TraceLifetime)
    assert trace.repair is not None
    repair = trace.repair.array.copy()
    repair[-1] += 1
    other = trace.model_copy(update={"repair": Column(repair)})
    assert other != trace
    hazard = scenario.hazards[0].model_copy(update={"mtbf": other})
    changed = scenario.model_copy(update={"hazards": (hazard, *scenario.hazards[1:])})
    assert sha256(changed) != sha256(scenario)


def test_a_column_is_a_sequence_that_nobody_changes() -> None:
    """It compares with lists, can be cut, hashed and sent to another process, and its sum is exact."""
    column = Column([3, 1, 2], ("told",))
    assert column == (3, 1, 2) == tuple(column)
    assert column != (3, 1)
    assert column != Column([3, 1, 4])
    assert (column[1], column[1:], len(column)) == (1, Column([1, 2]), 3)
    sent = pickle.loads(pickle.dumps(column))
    assert (sent, hash(sent), sent.told) == (column, hash(column), ("told",))
    with pytest.raises(ValueError, match="read-only"):
        sent.array[0] = 7
    assert Column([2**62 + 1, 2**62 + 2, 2**62]).total == 3 * 2**62 + 3
    assert repr(column) == "Column([3, 1, 2])"
    assert repr(Column(range(30))) == "<30 whole numbers>"
