"""Where the values of a scenario are said to be from."""

import pytest

from dcsim import load
from dcsim.scenario import Scenario, errors
from dcsim.scenario.provenance import DEFAULT, GIVEN, OVERRIDE, origins, values, written
from dcsim.shipped import shipped_files

BASE = """\
name = "Base"
horizon = "20 d"                        # assumed: short
[cluster]
topology = "gb300-nvl72"                # deck
gpus = 144                              # two racks
[[jobs]]
name = "train"
gpus = 128                              # a quote: "# no comment"
[jobs.recovery]
kind = "checkpoint-restart"
checkpoint_every = "30 min"             # deck: half an hour
restore = "5 min"
[[hazards]]
component = "gpu"
mtbf = { kind = "weibull", mean = "1000 h", shape = 0.8 }   # public: somebody
blast = 4
detect = "5 min" # of two # signs
repair = "1 h"                          # assumed
"""
CHILD = """\
extends = "base.toml"
horizon = "10 d"
[cluster]
spares = 8                              # ours
[tco]
gpu_hour = "4 USD"                      # deck
"""


@pytest.fixture
def child(tmp_path):
    """The path of a file that extends another."""
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "child.toml").write_text(CHILD)
    return tmp_path / "child.toml"


def test_a_value_has_the_comment_of_the_line_that_gave_it(child) -> None:
    """Of the file that gave it last; without a comment the file and the line, or what nobody gave and why."""
    found = origins(load(child), child)
    assert found["cluster.gpus"] == "two racks"
    assert found["cluster.spares"] == "ours"
    assert found["horizon"] == "child.toml, line 2"
    assert found["jobs.train.recovery.checkpoint_every"] == "deck: half an hour"
    assert found["jobs.train.gpus"] == 'a quote: "# no comment"'
    assert found["hazards.gpu.mtbf"] == "public: somebody"
    assert found["hazards.gpu.detect"] == "of two # signs"
    assert found["tco.gpu_hour"] == "deck"
    assert found["tco.term"] == f"{DEFAULT}: deck"
    assert found["tco.hot_storage.price"].startswith(DEFAULT)
    assert found["jobs.train.count"] == f"{DEFAULT}: assumed"


def test_a_line_without_a_comment_has_that_of_the_same_words(child) -> None:
    """As in files that extend one another: the same statement, said with its source once."""
    child.write_text(CHILD + '[[hazards]]\ncomponent = "gpu"\nmtbf = "1000 h"\nblast = 4\nrepair = "1 h"\n')
    found = origins(load(child), child)
    assert found["hazards.gpu.repair"] == "assumed"
    assert found["hazards.gpu.mtbf"] == "child.toml, line 9"


def test_an_override_is_named(child) -> None:
    """What --set gave is from there, whether the file had it or not."""
    changes = ["cluster.gpus=288", "hazards.gpu.requalify=10 min"]
    found = origins(load(child, set=changes), child, changes)
    assert found["cluster.gpus"] == found["hazards.gpu.requalify"] == OVERRIDE
    assert found["cluster.spares"] == "ours"


def test_a_preset_has_its_own_sources() -> None:
    """Values of a preset name it and its source; those that the file gives over it do not."""
    found = origins(load("strategies-5184/elastic"), "strategies-5184/elastic")
    assert found["jobs.pretrain.recovery.network_overhead"].startswith("preset torchft: deck")
    assert found["jobs.pretrain.recovery.step"] == "assumed: the step under way is lost"


def test_without_files_nothing_is_invented(child) -> None:
    """Of a scenario that was made in Python only its defaults have sources."""
    found = origins(load(child))
    assert found["cluster.gpus"] == GIVEN
    assert found["jobs.train.count"] == f"{DEFAULT}: assumed"


@pytest.mark.parametrize("name", sorted(shipped_files("scenarios")))
def test_every_value_of_a_shipped_scenario_has_an_origin(name) -> None:
    """Each value once, in words; no number of a shipped file is without a source."""
    scenario = load(name)
    found = origins(scenario, name)
    assert [each.key for each in values(scenario)] == list(found)
    assert len(set(found)) == len(found)
    unsourced = [
        each.key for each in values(scenario) if each.text[:1].isdigit() and found[each.key] in (GIVEN, "", DEFAULT)
    ]
    assert unsourced == []


def test_values_stand_on_one_line() -> None:
    """Tables and lists are written out."""
    assert written({"kind": "weibull", "mean": "1000 h", "shape": 0.8}) == "kind weibull, mean 1000 h, shape 0.8"
    assert written(["15000 h", "50677 h"]) == "15000 h; 50677 h"
    assert (written(5184), written(True), written([])) == ("5,184", "true", "none")


def test_entries_are_named_once(monkeypatch):
    """Naming the entries of a list costs no more for its hundredth value than for its first."""
    named = []
    monkeypatch.setattr(errors, "entry_names", lambda entries: named.append(len(entries)) or [None] * len(entries))
    jobs = [{"name": f"j{k}", "gpus": 1, "recovery": {"kind": "stateless"}} for k in range(100)]
    many = Scenario.model_validate(
        {
            "name": "many",
            "horizon": "1 mo",
            "cluster": {"topology": "hgx-h100", "gpus": 104},
            "jobs": jobs,
            "hazards": [{"component": "gpu", "mtbf": "1000 h", "repair": "1 h"}],
        }
    )
    named.clear()
    assert len(origins(many)) > 300
    assert named.count(100) == 1


def test_a_preset_that_is_set_is_named_for_what_it_gives():
    """What a preset takes the place of is not said to be from the file; what it leaves is."""
    changes = ["jobs.pretrain.recovery.preset=trainmover", "hazards.node.preset=delta-a100", "hazards.node.mtbf=9 h"]
    found = origins(load("failures/reference", set=changes), "failures/reference", changes)
    assert found["jobs.pretrain.recovery.kind"] == "preset trainmover"
    assert found["jobs.pretrain.recovery.failover"].startswith("preset trainmover: public (TrainMover")
    assert found["jobs.pretrain.recovery.checkpoint_write"] == "assumed"
    assert found["hazards.node.component"] == "preset delta-a100: public (Delta)"
    assert found["hazards.node.mtbf"] == OVERRIDE
