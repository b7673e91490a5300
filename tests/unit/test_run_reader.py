"""Runs and comparisons read back from their folders."""

import numpy as np
import pytest

from dcsim import load
from dcsim.decide import compare, run
from dcsim.decide.comparison import recompare
from dcsim.decide.outcome import reopen
from dcsim.decide.report_data import told_over
from dcsim.decide.study import ablations_of
from dcsim.montecarlo import RunFolder, StoreError
from dcsim.montecarlo.comparison_folder import members, write_group
from dcsim.montecarlo.manifest import Manifest
from dcsim.montecarlo.run_reader import read_sample
from dcsim.scenario import Scenario
from tests.unit.montecarlo_fakes import edit_manifest

SMALL = ("horizon=2 mo",)


def tiers(*names: str) -> list[Scenario]:
    """Shipped tiers over two months."""
    return [load(f"pretrain-5184/{name}", set=SMALL) for name in names]


def test_a_run_is_read_back_as_it_was(tmp_path) -> None:
    """Sample, engine, range of MTBF and the whole document are those of the run."""
    (scenario,) = tiers("gold")
    about = {"command": ("dcsim", "run"), "origins": [{"seed": "ours"}]}
    ran = run(scenario, replications=20, output=tmp_path, workers=1, **about)
    ((again,), _) = reopen([ran.folder], workers=1)
    assert again.to_json() == ran.to_json()
    manifest = Manifest.read(ran.folder)
    assert (manifest.command, manifest.origins, manifest.wanted) == (("dcsim", "run"), {"seed": "ours"}, 20)


def test_a_precision_is_looked_at_again(tmp_path) -> None:
    """How a run with a precision stopped is found again from its replications."""
    (scenario,) = tiers("gold")
    ran = run(scenario, precision="0.02 pp", replications=256, output=tmp_path, workers=1)
    ((again,), _) = reopen([ran.folder], workers=1)
    assert len(ran.stopped.looks) > 1
    assert again.stopped == ran.stopped
    assert again.to_json() == ran.to_json()


def test_a_comparison_is_read_back_as_it_was(tmp_path) -> None:
    """All its runs, pairs and bridges are the same, from the folder that names its runs."""
    found = compare(tiers("gold", "silver"), replications=12, output=tmp_path, workers=1)
    folder = write_group([each.folder for each in found.runs], ("dcsim", "compare"))
    assert folder == write_group([each.folder for each in found.runs], ("dcsim", "compare"))
    again = recompare(members(folder), workers=1)
    assert again.to_json() == found.to_json()
    assert [each.to_json() for each in again.bridges] == [each.to_json() for each in found.bridges]


def test_only_what_was_asked_for_is_read(tmp_path) -> None:
    """A run that goes on with fewer replications than it holds reports on those alone; an unfinished one on its own."""
    (scenario,) = tiers("gold")
    run(scenario, replications=8, output=tmp_path, workers=1)
    ran = run(scenario, replications=5, output=tmp_path, workers=1, resume=True)
    assert read_sample(ran.folder).replications.tolist() == [0, 1, 2, 3, 4]
    store = RunFolder(tmp_path / "half", scenario)
    store.open(10)
    store.write(ran.sample.ledgers)
    store.close()
    assert len(read_sample(store.folder)) == 5
    again = RunFolder(tmp_path / "half", scenario)
    again.open(10, resume=True)  # a part and the file of all may both hold a replication
    again.close()
    assert np.array_equal(read_sample(store.folder).gpu_ms, ran.sample.gpu_ms)


@pytest.fixture
def folder(tmp_path):
    """The folder of a small run."""
    return run(tiers("gold")[0], replications=2, output=tmp_path, workers=1).folder


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda at: (at / "manifest.json").unlink(), None),
        (lambda at: (at / "manifest.json").write_text("{"), None),
        (lambda at: (at / "manifest.backup.json").write_text("{"), None),
        (lambda at: [path.unlink() for path in at.glob("manifest*")], "is not a run of dcsim"),
        (lambda at: [path.write_text("{") for path in at.glob("manifest*")], "manifest.json is damaged"),
        (lambda at: (at / "manifest.json").write_text('{"program": "dcsim", "dcsim": "0.0.1"}'), "is of dcsim 0.0.1"),
        (lambda at: (at / "scenario.toml").write_text("name = 1"), "scenario.toml: is damaged"),
        (lambda at: (at / "scenario.toml").write_text((at / "scenario.toml").read_text() + " "), None),
        (lambda at: (at / "replications" / "all.parquet").write_bytes(b"PAR1"), "all.parquet"),
        (lambda at: (at / "replications" / "all.parquet").unlink(), "no replication is finished"),
        (lambda at: edit_manifest(at, shard=[1, 2]), "is a shard"),
        (lambda at: edit_manifest(at, scenario_sha256="0" * 64), "is not the scenario of this run"),
        (lambda at: edit_manifest(at, replications=None), "damaged: replications: "),
        (lambda at: edit_manifest(at, schema=3), "its files have schema 3, not 5"),
        (lambda at: edit_manifest(at, seed=7), "says seed 7, its scenario 1"),
    ],
)
def test_what_cannot_be_believed_is_refused(folder, damage, told) -> None:
    """Each in a line that names the file or folder; a scenario that only looks different is believed."""
    damage(folder)
    if told is None:
        reopen([folder], workers=1)
        return
    with pytest.raises(StoreError, match=told) as error:
        reopen([folder], workers=1)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_runs_that_do_not_belong_together_are_refused(tmp_path) -> None:
    """Of several seeds, or gone; of unequal length only what all of them have is compared."""
    gold, silver = tiers("gold", "silver")
    first = run(gold, replications=3, output=tmp_path, workers=1).folder
    longer = run(silver, replications=4, output=tmp_path, workers=1).folder
    assert {len(each.sample) for each in recompare([first, longer], workers=1).runs} == {3}
    other = run(silver.model_copy(update={"seed": 5}), replications=3, output=tmp_path, workers=1).folder
    with pytest.raises(StoreError, match="has not the seed of the others: 1, 5"):
        recompare([first, other])
    group = write_group([first, other])
    other.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not beside it any more"):
        members(group)


def test_a_folder_of_something_else_is_not_taken(tmp_path) -> None:
    """A comparison's folder that somebody uses for something else is left alone."""
    runs = [tmp_path / "a-12345678-1", tmp_path / "b-12345678-1"]
    group = write_group(runs)
    (group / "manifest.json").write_text('{"program": "other"}')
    with pytest.raises(StoreError, match="is not a run of dcsim"):
        write_group(runs)


def test_a_report_costs_less_than_its_run(monkeypatch) -> None:
    """The steps from the formula are told over few replications, fewer still without compiled rules."""
    (gold,) = tiers("gold")
    steps = ablations_of(gold)
    assert told_over(steps, 1000) == 64
    assert told_over(steps, 10) == 10
    plant = ablations_of(load("plant/storm-narrow"))
    assert told_over(plant, 1000) == 64
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert told_over(plant, 4) == 1
    assert told_over(plant, 1000) == 8
