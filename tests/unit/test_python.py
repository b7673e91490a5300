"""dcsim from Python: paths, names and dicts, signatures, what a notebook shows, and tables of runs."""

import importlib
import inspect
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

import dcsim
from dcsim.decide import run_table
from dcsim.scenario import ScenarioError

SHIPPED = Path(__file__).parents[2] / "scenarios"
SMALL = ("horizon=1 mo",)
BRIEF = {"replications": 4, "workers": 1}


@pytest.fixture
def file(tmp_path):
    """Give a file of a scenario over one month."""
    text = (SHIPPED / "pretrain-5184" / "gold.toml").read_text().replace('horizon = "36 mo"', 'horizon = "1 mo"')
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_path_a_name_a_dict_and_a_scenario_are_one(file):
    """Whatever says a scenario gives the same value, and the same losses."""
    tables = tomllib.loads(file.read_text())
    made = dcsim.scenario(tables)
    assert made == dcsim.load(file) == dcsim.scenario(file) == dcsim.scenario(str(file)) == dcsim.scenario(made)
    assert made == dcsim.scenario("pretrain-5184/gold", set=SMALL)
    losses = [dcsim.run(each, **BRIEF).sample.loss.tolist() for each in (file, str(file), tables, made)]
    assert losses[1:] == losses[:-1]
    assert dcsim.estimate(tables).accounting == dcsim.estimate(file).accounting
    assert tables == tomllib.loads(file.read_text())  # nothing in it was changed


def test_changes_go_with_every_source(file):
    """set and seed, as on the command line."""
    tables = tomllib.loads(file.read_text())
    for source in (file, tables, dcsim.load(file)):
        found = dcsim.run(source, set=["cluster.spares=0"], seed=9, **BRIEF)
        assert (found.scenario.cluster.spares, found.scenario.seed) == (0, 9)
    both = dcsim.compare([tables, file], set=["cluster.spares=0"], seed=9, bridges=False, **BRIEF)
    assert [each.scenario.cluster.spares for each in both.runs] == [0, 0]


def test_a_dict_has_the_errors_of_a_file():
    """Each mistake is one line with its path."""
    with pytest.raises(ScenarioError) as caught:
        dcsim.scenario({"name": "x", "horizon": 3, "cluster": {"topology": "hgx-h100", "gpus": 8, "spare": 1}})
    lines = str(caught.value).splitlines()
    assert any(line.startswith("scenario: horizon: found 3") for line in lines)
    assert any(
        "cluster.spare: unknown key" in line and 'did you mean "spares" or "spares_run"?' in line for line in lines
    )
    with pytest.raises(TypeError, match="a scenario is a path, a name, a dict or a Scenario, not int"):
        dcsim.run(3)


def test_a_dict_may_extend_a_file(file, monkeypatch):
    """Paths in a dict start in the working folder."""
    monkeypatch.chdir(file.parent)
    assert dcsim.scenario({"extends": "mine.toml", "name": "other"}).name == "other"


@pytest.mark.parametrize("name", ["run", "compare", "explain", "estimate"])
def test_signatures_are_explicit(name):
    """Every keyword has a name and a place in the docstring's world: no **how."""
    signature = inspect.signature(getattr(dcsim, name))
    assert all(each.kind is not each.VAR_KEYWORD for each in signature.parameters.values())
    assert inspect.getdoc(getattr(dcsim, name))
    with pytest.raises(TypeError, match="unexpected keyword"):
        getattr(dcsim, name)("pretrain-5184/gold", replicatons=3)


def test_results_look_like_what_they_say(file):
    """repr is str; a notebook shows the first sentences and tables, escaped."""
    found = dcsim.run(file, set=['name="<b>Gold</b>"'], **BRIEF)
    both = dcsim.compare([file, file], bridges=False, **BRIEF)
    results = [found, dcsim.estimate(file), both, dcsim.explain(file, **BRIEF)]
    for result in results:
        assert repr(result) == str(result)
        html = result._repr_html_()
        assert "<table>" in html
        assert "<b>" not in html
        assert len(repr(result)) < 2_000
    assert "541,897,114 USD paid" in str(found)


def test_the_table_of_runs(file, tmp_path):
    """One row for each run: losses and money agree with the sample, and the folder holds the same table."""
    found = dcsim.run(file, output=tmp_path / "out", **BRIEF)
    table = found.to_arrow()
    rows = table.to_pydict()
    assert rows["run"] == [0, 1, 2, 3]
    assert rows["loss"] == found.sample.loss.tolist()
    assert np.allclose(rows["lost"], rows["loss"], rtol=1e-12)
    assert rows["paid_usd"] == [found.paid_usd.mean] * 4
    assert np.mean(rows["with_lost_work_usd"]) == pytest.approx(found.total_usd.mean, rel=1e-12)
    assert np.allclose(np.array(rows["usd_per_useful_gpu_hour"]) * rows["useful_gpu_hours"], rows["paid_usd"])
    assert all(field.metadata[b"unit"] and field.metadata[b"description"] for field in table.schema)
    assert parquet.read_table(found.folder / run_table.NAME).equals(table)


def test_inputs_that_were_drawn_stand_beside_the_losses():
    """The value of an uncertain key in each run, in its canonical unit, pairs alike: what sampled() simulated."""
    from dcsim.scenario.sampled import sampled

    unknown = {"key": "hazards.gpu.mtbf", "value": {"kind": "uniform", "low": "20000 h", "high": "50000 h"}}
    found = dcsim.run("pretrain-5184/gold", set=[*SMALL, f"uncertain=[{toml(unknown)}]"], **BRIEF)
    table = found.to_arrow()
    drawn = table["hazards.gpu.mtbf"].to_pylist()
    assert table.schema.field("hazards.gpu.mtbf").metadata[b"unit"] == b"ms"
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]
    used = [sampled(found.scenario, number).hazards[0].mtbf for number in range(4)]
    assert [round(each) for each in drawn] == used


def toml(table):
    """Write an inline table."""
    inner = ", ".join(
        f"{key} = {toml(value) if isinstance(value, dict) else repr(value)}" for key, value in table.items()
    )
    return "{ " + inner.replace("'", '"') + " }"


def test_pandas_where_it_is(file, monkeypatch):
    """A data frame where pandas is installed, else one line that says what to do."""
    found = dcsim.run(file, **BRIEF)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pandas is not installed: pip install pandas, or take to_arrow\(\)"):
        found.to_pandas()


def test_a_module_is_a_module():
    """No room hands out a function under the name of one of its modules."""
    assert inspect.ismodule(importlib.import_module("dcsim.scenario.plan"))
    import dcsim.scenario.plan

    assert inspect.ismodule(dcsim.scenario.plan)
    package = Path(dcsim.__file__).parent
    shadowed = []
    for init in package.rglob("__init__.py"):
        room = ".".join(("dcsim", *init.parent.relative_to(package).parts))
        opened = importlib.import_module(room)
        for module in [path.stem for path in init.parent.glob("*.py") if path.stem != "__init__"]:
            importlib.import_module(f"{room}.{module}")
            if not inspect.ismodule(getattr(opened, module)):
                shadowed.append(f"{room}.{module}")
    assert shadowed == []
