"""What is said of a record that does not fit its cluster: the counts are those of the engines."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import simulate
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from dcsim.scenario.record_cautions import overlaps, record_cautions


def scenario(*hazards: dict[str, Any], gpus: int = 16, horizon: str = "720 h", topology: Any = "hgx-h100") -> Scenario:
    """A cluster of nodes of 8 GPUs, one job on all, and these hazards on nodes."""
    return Scenario.model_validate(
        {
            "name": "records",
            "horizon": horizon,
            "cluster": {"topology": topology, "gpus": gpus},
            "jobs": [{"name": "a", "gpus": gpus, "recovery": {"kind": "fault-tolerant"}}],
            "hazards": [{"component": "node", **each} for each in hazards],
        }
    )


def trace(at: list[int], component: list[int] | None, repair: list[int] | None = None, **keys: Any) -> dict[str, Any]:
    """A record in hours."""
    found: dict[str, Any] = {"kind": "trace", "span": "720 h", "at": [f"{each} h" for each in at], **keys}
    if component is not None:
        found["component"] = component
    if repair is not None:
        found["repair"] = [f"{each} h" for each in repair]
    return found


def happened(found: Scenario) -> tuple[int, int]:
    """How many failures a run drew, and how many of them did something."""
    drawn = sum(len(draws.failures.times) for draws in plan(found).draws(0))
    return drawn, simulate(found, 0).failures


# --- failures of what is out already --------------------------------------------------------------------------------


def test_a_failure_within_a_repair_is_said():
    """Node 0 is out from 0 to 10 h: its failure at 5 h does nothing, the one at 60 h does; three of four happen."""
    found = scenario({"mtbf": trace([0, 5, 50, 60], [0, 0, 1, 0], [10, 1, 1, 1], components=2)})
    assert record_cautions(found) == [
        'The record of hazard "node": 1 of its 4 failures within the horizon comes while the node that it names is out '
        "already. The simulation drops it."
    ]
    assert happened(found) == (4, 3)


def test_a_failure_at_the_end_of_a_repair_is_none_of_them():
    """Out from 0 to 5 h, and failed again at 5 h: both happen; a test after repair lasts until 6 h, then one does."""
    record = trace([0, 5], [0, 0], [5, 5], components=2)
    assert record_cautions(scenario({"mtbf": record})) == []
    assert happened(scenario({"mtbf": record})) == (2, 2)
    tested = scenario({"mtbf": record, "requalify": "1 h"})
    assert [each.dropped for each in overlaps(tested)] == [1]
    assert happened(tested) == (2, 1)


def test_each_lap_counts():
    """Two laps of 360 h drop one failure each, and the repair of 30 h at the end of the first reaches the second's."""
    found = scenario({"mtbf": trace([0, 5, 350], [0, 0, 0], [10, 1, 30], components=2, span="360 h", repeat=True)})
    (overlap,) = overlaps(found)
    assert (overlap.dropped, overlap.failures) == (3, 6)
    assert happened(found) == (6, 3)


def test_two_hazards_on_one_node():
    """The network's failure at 1 h finds its node out since 0 h for the GPU; that at 3 h finds it back."""
    hazards = [
        {"name": "gpu", "mtbf": trace([0], [0], [2])},
        {"name": "network", "mtbf": trace([1, 3], [0, 0], [1, 1])},
    ]
    found = scenario(*hazards, gpus=8)
    assert [(each.hazard, each.dropped) for each in overlaps(found)] == [(0, 0), (1, 1)]
    assert happened(found) == (3, 2)


def test_a_random_start_counts_each_replay():
    """In a ring of 720 h the failure at 5 h lies in the repair from 700 h to 20 h: one of three, whatever the start."""
    found = scenario({"mtbf": trace([5, 100, 700], [0, 0, 0], [1, 1, 40], start="random", repeat=True, components=2)})
    assert record_cautions(found) == [
        'The record of hazard "node": each time it is replayed, 1 of its 3 failures comes while the node that it '
        "names is out already. The simulation drops it."
    ]


def test_drawn_times_make_it_an_estimate():
    """Where the repair is drawn the count goes by its mean: about one of two."""
    keys = {"repair": {"kind": "exponential", "mean": "10 h"}, "mtbf": trace([0, 5], [0, 0], components=2)}
    (sentence,) = record_cautions(scenario(keys))
    assert 'hazard "node": about 1 of its 2 failures within the horizon comes' in sentence


PARTS = ("gpu", "node", "rack")


@st.composite
def records(draw: st.DrawFn) -> Scenario:
    """Draw hazards whose times are all known, on GPUs, nodes and racks, in a cluster of four nodes of two."""
    shape = {
        "name": "small",
        "description": "",
        "node": {"gpus": 2},
        "rack": {"nodes": 2},
        "nvlink": {"domain": "node"},
    }
    hazards = []
    for number in range(draw(st.integers(1, 3))):
        at = draw(st.lists(st.integers(0, 99), min_size=1, max_size=15))
        few = st.lists(st.integers(0, 30), min_size=len(at), max_size=len(at))
        kind = draw(st.integers(0, 2))
        keys = {"repeat": draw(st.booleans()), "span": f"{draw(st.sampled_from([100, 130]))} h"}
        hazard: dict[str, Any] = {"name": f"hazard {number}", "component": PARTS[kind]}
        hazard["blast"] = PARTS[draw(st.integers(kind, 2))]
        hazard |= {"detect": f"{draw(st.integers(0, 5))} h", "requalify": f"{draw(st.integers(0, 3))} h"}
        known = draw(few) if draw(st.booleans()) else None
        hazard |= {"mtbf": trace(at, draw(few), known, **keys), "repair": f"{draw(st.integers(0, 20))} h"}
        if draw(st.sampled_from([False, False, True])):
            hazard |= {"effect": "degrade", "keeps": "50 %"}
            del hazard["blast"]
        hazards.append(hazard)
    return scenario(*hazards, gpus=8, horizon="100 h", topology=shape)


@settings(max_examples=300)
@given(records())
def test_the_count_is_that_of_the_engine(found: Scenario) -> None:
    """On records with known times: failures drawn less failures that happened in the simulation."""
    counts = overlaps(found)
    drawn, did = happened(found)
    assert all(each.exact and not each.each_lap for each in counts)
    assert sum(each.failures for each in counts) == drawn
    assert sum(each.dropped for each in counts) == drawn - did


# --- more components, or fewer --------------------------------------------------------------------------------------

FOUR = trace([0, 100, 300, 500], [0, 1, 2, 3], [1] * 4)


@pytest.mark.parametrize(
    ("nodes", "keys", "sentence"),
    [
        (4, {"components": 4}, None),
        (4, {}, None),
        (
            40,
            {"components": 4},
            'The record of hazard "node" is of 4 nodes, the cluster has 40. The other 36 never fail: the cluster has '
            "the failures of 4 nodes.",
        ),
        (
            40,
            {},
            'The record of hazard "node" names 4 nodes, the cluster has 40. The other 36 never fail: the cluster has '
            "the failures of 4 nodes; if more nodes were recorded, say how many in components.",
        ),
        (40, {"components": 40}, None),
        (
            1,
            {},
            'The record of hazard "node" names 4 nodes, the cluster has 1. All of them are the one node here; a node '
            "fails 4 times as often as in the record.",
        ),
        (
            3,
            {"components": 4},
            'The record of hazard "node" is of 4 nodes, the cluster has 3. Recorded node i is node i modulo 3 here, '
            "so several recorded nodes are one; a node fails 1.33 times as often as in the record.",
        ),
    ],
)
def test_a_record_of_another_size_is_said(nodes, keys, sentence):
    """Four nodes on four, on forty and on one; a record that says of how many it is, is believed."""
    found = record_cautions(scenario({"mtbf": FOUR | keys}, gpus=8 * nodes))
    assert found == ([] if sentence is None else [sentence])


def test_numbers_from_one_fit_as_many_components():
    """Nodes 1 to 4 are all four nodes: 4 is node 0."""
    assert record_cautions(scenario({"mtbf": trace([0, 1, 2, 3], [1, 2, 3, 4])}, gpus=32)) == []


def test_numbers_that_fall_together_are_said():
    """Nodes 0, 10 and 20 of a record are one of ten nodes here."""
    (found,) = record_cautions(scenario({"mtbf": trace([0, 1, 2], [0, 10, 20])}, gpus=80))
    assert found.endswith("names 3 nodes, the cluster has 10. Recorded node i is node i modulo 10 here, so several recorded nodes are one.")  # fmt: skip  # noqa: E501


def test_cuts_of_one_record_are_one():
    """Two hazards that name two nodes each of one record name four nodes of the cluster's four."""
    hazards = [
        {"name": "gpu", "mtbf": trace([0, 10], [0, 1], record="log")},
        {"name": "network", "mtbf": trace([20, 30], [2, 3], record="log")},
    ]
    assert record_cautions(scenario(*hazards, gpus=32)) == []
    (found,) = record_cautions(scenario(*hazards, gpus=40))
    assert found.startswith(
        'The record of hazards "gpu", "network" names 4 nodes, the cluster has 5. The other one never fails:'
    )


def test_a_record_without_names_says_how_many_failures_it_has():
    """Which node fails is drawn, but 40 nodes have the failures of four."""
    found = record_cautions(scenario({"mtbf": trace([0, 10], None, components=4)}, gpus=320))
    assert found == [
        'The record of hazard "node" is of 4 nodes, the cluster has 40. Which of them fails is drawn: the cluster has '
        "the failures of 4 nodes."
    ]
    assert record_cautions(scenario({"mtbf": trace([0, 10], None)}, gpus=320)) == []


def test_a_record_that_begins_after_the_horizon_is_said():
    """With a fixed start nothing of it happens."""
    found = record_cautions(scenario({"mtbf": trace([100], [0], components=2)}, horizon="50 h"))
    assert found == ['The record of hazard "node": its first failure comes at 100 h, after the horizon of 50 h.']
    assert happened(scenario({"mtbf": trace([100], [0], components=2)}, horizon="50 h")) == (0, 0)


def test_without_a_record_nothing_is_said():
    """Hazards of a law have no record."""
    assert record_cautions(scenario({"mtbf": "1000 h"})) == []
