"""Strategies in scenario files: what is loaded and written again, presets, and what is wrong."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dcsim.recovery import STRATEGIES
from dcsim.recovery.presets import presets
from dcsim.scenario import ScenarioError, load, to_toml
from tests.unit.strategies import tables


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A file for the scenario at hand."""
    return tmp_path_factory.mktemp("written") / "scenario.toml"


@pytest.mark.parametrize("kind", sorted(STRATEGIES))
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_written_scenario_is_the_same_again(kind, data, written):
    """A resolved scenario with any valid strategy loads as an equal one."""
    try:
        scenario = load("pretrain-5184/gold", **{"jobs.pretrain.recovery": data.draw(tables(kind))})
    except ScenarioError:
        assume(False)
    written.write_text(to_toml(scenario))
    assert load(written) == scenario


def test_a_preset_is_resolved_when_it_is_loaded(written):
    """A scenario with a preset is the one with its keys written out; what is saved names no preset."""
    scenario = load("pretrain-5184/gold", **{"jobs.pretrain.recovery": {"preset": "torchft", "group": 64}})
    preset = presets()["torchft"]
    keys = {"kind": preset.kind, **preset.keys, "group": 64}
    assert scenario == load("pretrain-5184/gold", **{"jobs.pretrain.recovery": keys})
    written.write_text(to_toml(scenario))
    assert "preset" not in written.read_text()
    assert load(written) == scenario


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"preset": "torchf"}, "jobs.pretrain.recovery.preset: found 'torchf'; allowed: "),
        ({"preset": "torchft", "kind": "stateless"}, "jobs.pretrain.recovery.kind: found 'stateless'; preset"),
        ({"preset": "torchft"}, "jobs.pretrain.recovery.group: missing; required (GPUs of one replica group"),
        ({"preset": "torchft", "grup": 8}, "jobs.pretrain.recovery.grup: unknown key; allowed: "),
        (
            {"kind": "fault-tolerant", "coverage": "90 %"},
            "jobs.pretrain.recovery.checkpoint_every: missing; required (what is not covered",
        ),
    ],
)
def test_a_mistake_is_one_line(table, line):
    """A wrong table gives one problem, with the path as it is written."""
    with pytest.raises(ScenarioError) as caught:
        load("pretrain-5184/gold", **{"jobs.pretrain.recovery": table})
    (problem,) = caught.value.problems
    assert line in str(problem)
