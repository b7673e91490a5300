"""Sweeps: every point is the run of its scenario, however it was simulated, and what they leave behind is the same."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import dcsim
from dcsim.decide.metrics import METRICS
from dcsim.decide.sweep import Sweep, sweep
from dcsim.decide.sweep_files import positions
from dcsim.decide.sweep_question import batches, question
from dcsim.decide.theory import theory
from dcsim.decide.variants import Axis
from dcsim.montecarlo import Interrupted, Shard, StoreError
from dcsim.montecarlo.merge import merge
from dcsim.report.sweep_page import setting, sweep_page
from dcsim.report.sweep_report import sweep_document
from dcsim.scenario import ScenarioError

SMALL = {
    "name": "Small",
    "horizon": "20 d",
    "seed": 7,
    "cluster": {"topology": "gb300-nvl72", "gpus": 144, "spares": 8},
    "jobs": [
        {
            "name": "train",
            "gpus": 128,
            "recovery": {
                "kind": "checkpoint-restart",
                "checkpoint_every": "30 min",
                "checkpoint_write": "1 min",
                "restore": "5 min",
            },
        }
    ],
    "hazards": [{"component": "gpu", "mtbf": "1000 h", "blast": 4, "detect": "5 min", "repair": "8 h"}],
    "tco": {"gpu_hour": "4 USD"},
}
EVERY = "jobs.train.recovery.checkpoint_every"
AXES = {EVERY: ["10 min", "30 min", "90 min"], "cluster.spares": [0, 8]}


def swept(**how) -> Sweep:
    """The small scenario at six settings."""
    return sweep(SMALL, AXES, **({"replications": 12, "workers": 1} | how))


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes, but for those of shards."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".shard-" not in path.as_posix()
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_point_equals_the_run_of_its_scenario():
    """Figures of a point are those of a run with the same keys and the same seed, to the last bit."""
    found = swept()
    for point in found.points:
        stock = dict(point.inputs)["cluster.spares"]
        keys = [f"{EVERY}={dict(point.inputs)[EVERY]}", f"cluster.spares={stock}", f"cluster.gpus={136 + stock}"]
        run = dcsim.run(SMALL, set=keys, replications=12, workers=1)
        for name, summary in point.figures.items():
            assert summary == METRICS[name].summary(run), name
        assert point.measured is not None
        assert point.measured.mean == pytest.approx(run.useful_hour_usd.mean, rel=1e-14)  # another order of sums


def test_batches_change_nothing(monkeypatch):
    """Points that are simulated one by one, to save memory, give the same document; money alone shares runs."""
    whole = swept().to_json()
    monkeypatch.setattr("dcsim.decide.sweep_question.BATCH_BYTES", 1)
    assert swept().to_json() == whole
    asked = question(SMALL, {"tco.gpu_hour": ["3 USD", "4 USD"], EVERY: ["10 min", "30 min"]}, None, None, None, ())
    assert list(batches(asked.variants, 10)) == [([0, 2], 1), ([1, 3], 1)]


def test_points_that_differ_in_money_share_their_runs(monkeypatch):
    """A price costs no simulation: the runs of two prices are played once."""
    played = []
    from dcsim.engine import compiled_clock

    honest = compiled_clock.simulate_many
    monkeypatch.setattr(compiled_clock, "simulate_many", lambda *given: played.extend(given[1]) or honest(*given))
    sweep(SMALL, {"tco.gpu_hour": ["3 USD", "4 USD", "5 USD"]}, replications=8, workers=1)
    assert sorted(played) == list(range(8))


def test_an_interrupted_sweep_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    """Ctrl-C in the middle keeps what is finished; --resume leaves the bytes of a sweep that nobody interrupted."""
    monkeypatch.setattr("dcsim.decide.sweep_question.BATCH_BYTES", 1)
    swept(output=tmp_path / "clean", every_run=True)
    (clean,) = (tmp_path / "clean").iterdir()

    def stop(done, total, running):
        assert total == 72
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as ended:
        swept(output=tmp_path / "cut", every_run=True, progress=stop)
    assert (ended.value.finished, ended.value.wanted) == (30, 72)
    (cut,) = (tmp_path / "cut").iterdir()
    assert {path.name for path in cut.iterdir()} == {"runs"}
    swept(output=tmp_path / "cut", every_run=True, resume=True)
    assert files(cut) == files(clean)


def test_merged_shards_leave_the_same_bytes(tmp_path):
    """Each machine simulates its share of every point; merged and resumed, the folder is that of one machine."""
    swept(output=tmp_path / "clean")
    (clean,) = (tmp_path / "clean").iterdir()
    for number in (1, 2, 3):
        part = swept(output=tmp_path / "shared", shard=Shard(number, 3))
        assert {point.measured.estimated.values.size for point in part.points if point.measured} == {4}
    (shared,) = (tmp_path / "shared").iterdir()
    assert not (shared / "points.csv").exists()
    assert len(merge([shared / "runs"])) == 6
    swept(output=tmp_path / "shared", resume=True)
    assert files(shared) == files(clean)


def test_tables_are_tidy(tmp_path):
    """CSV and parquet have one row for each point, and on request one for each run, with the inputs as columns."""
    from pyarrow import parquet

    found = swept(output=tmp_path, every_run=True)
    assert found.folder is not None
    rows = rows_of(found.folder / "points.csv")
    assert [(row[EVERY], row[f"{EVERY} [h]"][:6], row["cluster.spares"]) for row in rows[:2]] == [
        ("10 min", "0.1666", "0"),
        ("10 min", "0.1666", "8"),
    ]
    table = parquet.read_table(found.folder / "points.parquet")
    assert table["usd_per_useful_gpu_hour"].to_pylist() == [float(row["usd_per_useful_gpu_hour"]) for row in rows]
    assert table.schema.field("loss").metadata[b"unit"] == b"1"
    assert [row["standing"] for row in rows].count("best") == 1
    runs = parquet.read_table(found.folder / "runs-of-points.parquet")
    each = rows_of(found.folder / "runs-of-points.csv")
    assert (runs.num_rows, len(each)) == (72, 72)
    losses = [float(row["loss"]) for row in each if row["point"] == "3"]
    assert found.points[3].figures["loss"].mean == pytest.approx(sum(losses) / 12, rel=1e-12)
    assert json.loads((found.folder / "sweep.json").read_text()) == json.loads(json.dumps(found.to_json()))
    swept(output=tmp_path, resume=True)
    assert not (found.folder / "runs-of-points.csv").exists()


def test_no_name_is_a_formula_in_a_spreadsheet(tmp_path):
    """A scenario named like a formula stands as text in CSV."""
    found = sweep(SMALL | {"name": "=1+1"}, {EVERY: ["10 min", "30 min"]}, replications=2, workers=1, output=tmp_path)
    assert ',"\'=1+1",' in (found.folder / "points.csv").read_text().splitlines()[1]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    """A folder of the sweep's name that holds other files is not written to."""
    name = question(SMALL, AXES, None, None, None, ()).folder_name
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match="not a sweep of dcsim"):
        swept(output=tmp_path)


def test_a_stock_of_spares_is_bought():
    """cluster.gpus follows cluster.spares, unless it is given too; the message about it names what was typed."""

    def sizes(axes):
        return [each.scenario.cluster.gpus for each in question(SMALL, axes, None, None, None, ()).variants]

    assert sizes({"cluster.spares": [0, 8, 16]}) == [136, 144, 152]
    assert sizes({"cluster.gpus": [144], "cluster.spares": [0, 8]}) == [144, 144]
    with pytest.raises(ScenarioError, match=r"^-L cluster.spares=6: cluster.gpus: found 142"):
        sizes({"cluster.spares": [6]})
    assert any("Spares are bought" in note for note in swept(replications=2).notes)


def test_a_latin_hypercube_tries_every_value_as_often():
    """Ten points of an axis with five values take each twice; the seed of the scenario decides, and nothing else."""
    axes = {
        EVERY: ["10 min", "20 min", "30 min", "40 min", "50 min"],
        "cluster.spares": [0, 4, 8, 12, 16, 20, 24, 28, 32, 36],
    }
    settings = [dict(each.inputs) for each in question(SMALL, axes, 10, None, None, ()).variants]
    assert len(settings) == 10
    for key, values in axes.items():
        counts = [sum(each[key] == value for each in settings) for value in values]
        assert counts == [10 // len(values)] * len(values)
    assert settings == [dict(each.inputs) for each in question(SMALL, axes, 10, None, None, ()).variants]
    other = [dict(each.inputs) for each in question(SMALL, axes, 10, None, 8, ()).variants]
    assert settings != other


def test_several_files_are_compared_at_every_setting():
    """The winner of a setting is the one that a comparison of the two at that setting finds."""
    rival = SMALL | {"name": "Rival", "tco": {"gpu_hour": "4.1 USD"}, "seed": 99}
    rival["hazards"] = [SMALL["hazards"][0] | {"detect": "1 min"}]
    found = sweep([SMALL, rival], {"hazards.gpu.mtbf": ["300 h", "100000 h"]}, replications=20, workers=1)
    assert [found.offers[each.points[each.region.best] // 2].name for each in found.winners] == ["Rival", "Small"]
    assert [each.offers for each in found.winners] == [(1,), (0,)]
    assert {offer.seed for offer in found.offers} == {7}
    same = sweep([SMALL, SMALL | {"name": "Twin"}], {}, replications=4, workers=1)
    assert same.winners[0].offers == (0, 1)


@pytest.mark.parametrize(
    ("axes", "how", "says"),
    [
        ({}, {}, "-L: missing; give a key and its values, or several files"),
        ({EVERY: []}, {}, f"axes: {EVERY}: found no value"),
        ({"cluster.spres": [1]}, {}, "unknown key"),
        ({EVERY: ["1 min", "2 min"]}, {"lhs": 3}, "--lhs: found 3; must be at most 2"),
        ({EVERY: ["1 min"]}, {"metric": "los"}, 'did you mean "loss"'),
        ({EVERY: ["1 min"]}, {"replications": 10**8}, "must be at most 20,000,000 runs in all"),
        ({EVERY: ["1 min"]}, {"replications": 2, "shard": Shard(3, 3)}, "shard 3/3 has none of 2 replications"),
        ([f"{EVERY}=1 min", f"{EVERY}=2 min"], {}, "found twice"),
    ],
)
def test_mistakes_are_one_line(axes, how, says):
    """What cannot be swept is said before anything is simulated."""
    with pytest.raises(ScenarioError) as error:
        sweep(SMALL, axes, **how)
    (problem,) = error.value.problems
    assert says in str(problem)


def test_a_price_needs_prices():
    """A figure in money of a scenario without [tco] is refused; without it the loss decides by default."""
    free = {key: value for key, value in SMALL.items() if key != "tco"}
    with pytest.raises(ScenarioError, match=r"every scenario needs \[tco\]"):
        sweep(free, {EVERY: ["1 min", "2 min"]}, metric="paid_usd")
    assert question(free, {EVERY: ["1 min"]}, None, None, None, ()).metric.name == "loss"


def test_two_points_never_share_a_folder(tmp_path, monkeypatch):
    """Names of folders hold eight digits of a hash; two points whose digits agree are refused, not mixed up."""
    monkeypatch.setattr("dcsim.decide.sweep_question.sha256", lambda scenario: "12345678" + str(hash(scenario)))
    with pytest.raises(ScenarioError, match="one folder"):
        swept(output=tmp_path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0, 8, 16), ((0.0, 8.0, 16.0), "")),
        (("30 min", "2 h"), ((0.5, 2.0), "h")),
        (("5 %", "10 %"), ((5.0, 10.0), "%")),
        (("4 USD", "5 USD"), ((4.0, 5.0), "USD")),
        (("hot", "cold"), None),
        (("5 %", "2 h"), None),
        ((True, False), None),
    ],
)
def test_axes_are_numbers_of_one_unit_or_words(values, expected):
    """Durations are in hours, shares in per cent; words have no place on a scale."""
    found = positions(Axis("key", values))
    assert found is None if expected is None else found[1] == expected[1]
    if found is not None and expected is not None:
        assert found[0] == pytest.approx(expected[0])


def test_a_sweep_says_itself_in_a_line():
    """str and repr name the best point; who came by the package's door sees tables in a notebook."""
    assert dcsim.sweep is sweep
    found = swept(replications=4)
    assert str(found).startswith("least paid per useful GPU-hour: ")
    assert repr(replace(found)) == str(found)
    assert "<table>" in found._repr_html_()


def test_formulas_stand_beside_what_they_are_of(tmp_path):
    """ETTR by first order and by exact theory: in the files, in the document, on the page and in the report."""
    axes = {EVERY: ["10 min", "30 min"], "hazards.gpu.mtbf": ["1000 h", "20000 h", "100000 h"]}
    found = sweep(SMALL, axes, metric="ettr", replications=12, workers=1, output=tmp_path)
    for point in found.points:
        keys = [f"{key}={value}" for key, value in point.inputs]
        known = theory(dcsim.scenario(SMALL, set=keys))
        first, exact = point.formulas.values()
        assert first == known.ettr_first_order
        assert exact == 1 - known.goodput_loss
        assert point.figures["ettr"].mean == dcsim.run(SMALL, set=keys, replications=12, workers=1).ettr["train"]
    assert [each["formulas"] for each in found.to_json()["points"]] == [dict(each.formulas) for each in found.points]
    assert "formulas" not in swept().to_json()["points"][0]
    rows = rows_of(next(tmp_path.rglob("points.csv")))
    assert [float(each["ettr, exact theory of one gang"]) for each in rows] == pytest.approx(
        [each.formulas["exact theory of one gang"] for each in found.points], rel=1e-12
    )
    titles = [part.title for part in sweep_page(found).parts]
    assert titles == [
        "ETTR of the first job, %",
        "ETTR of the first job by first order (Kokolis), %",
        "ETTR of the first job by exact theory of one gang, %",
    ]
    assert sweep_page(found).parts[0].corner == "checkpoint_every (down), mtbf (across)"
    assert [part.title for part in sweep_document(found).sections[0].parts][1:] == titles[1:]


def test_a_formula_that_says_nothing_is_left_out():
    """Work that may be corrupt has no exact form; along one axis formulas are columns."""
    corrupt = {**SMALL, "hazards": [{**SMALL["hazards"][0], "blast": "node", "effect": "corrupt"}]}
    for scenario, columns in ((SMALL, 2), (corrupt, 1)):
        found = sweep(scenario, {EVERY: ["10 min", "30 min"]}, metric="ettr", replications=2, workers=1)
        (table,) = sweep_page(found).parts
        assert sum(column.startswith("by ") for column in table.columns) == columns


def test_intervals_by_name_are_said_in_words():
    """No sentence speaks of a checkpoint every optimal."""
    assert setting([(EVERY, "optimal")]) == "the best checkpoint interval"
    assert setting([(EVERY, "daly"), ("hazards.gpu.mtbf", "24 h")]) == "Daly's checkpoint interval and an MTBF of 24 h"
    assert setting([(EVERY, "10 min")]) == "a checkpoint every 10 min"
