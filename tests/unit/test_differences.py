"""The inputs in which two scenarios differ, by key and in groups, and scenarios that have some inputs of each."""

import pytest

from dcsim.decide.differences import (
    LABELS,
    PRICED,
    SIMULATED,
    UNREAD,
    changes_between,
    group_of,
    with_groups_of_other,
    without_unread,
)
from dcsim.economics import GROUPS, LINES
from dcsim.scenario import Scenario, load
from dcsim.shipped import shipped_files

GOLD, SILVER = load("pretrain-5184/gold"), load("pretrain-5184/silver")
SHIPPED = sorted(shipped_files("scenarios"))


def keys(a, b):
    """Write every key that differs with its group and values."""
    return {key: (each.group, first, second) for each in changes_between(a, b) for key, first, second in each.rows}


def test_gold_and_silver_by_hand():
    """Read off the two files: every key in which they differ, with both values as they are written there."""
    assert keys(GOLD, SILVER) == {
        "hazards.gpu.mtbf": ("failures", "25,000 h", "15,000 h"),
        "hazards.gpu.detect": ("detection", "15 min", "60 min"),
        "jobs.pretrain.recovery.kind": ("recovery", "fault-tolerant", "checkpoint-restart"),
        "jobs.pretrain.recovery.restore": ("recovery", "0 s", "15 min"),
        "jobs.research.recovery.kind": ("recovery", "fault-tolerant", "checkpoint-restart"),
        "jobs.research.recovery.restore": ("recovery", "0 s", "15 min"),
        "hazards.gpu.repair": ("repair", "15 min", "60 min"),
        "cluster.spares": ("spares", "32", "0"),
        "jobs.research.gpus": ("jobs", "264", "272"),
        "tco.hot_storage.price": ("storage", "0.035 USD/GiB/mo", "0.055 USD/GiB/mo"),
        "tco.cold_storage.price": ("storage", "0.01 USD/GiB/mo", "0.015 USD/GiB/mo"),
        "tco.setup": ("setup", "0 USD", "33333 USD"),
        "tco.debugging": ("debugging", "0 USD/mo", "128583 USD/mo"),
        "accounting.mode": ("unread", "tolerant", "hot"),
        "accounting.identify": ("unread", "max", "rollback"),
        "hazards.gpu.mtbf_range": ("unread", "25000 h to 50677 h", "15000 h to 50677 h"),
    }


def test_differences_are_told_group_by_group():
    """In the order in which groups change hands, simulated ones first."""
    order = [each.group for each in changes_between(GOLD, SILVER)]
    assert order == sorted(order, key=list(LABELS).index)
    assert [*SIMULATED, *PRICED, *UNREAD] == list(LABELS)


def test_a_scenario_does_not_differ_from_itself():
    """Nor from one that has another name and description."""
    assert changes_between(GOLD, GOLD) == ()
    assert changes_between(GOLD, GOLD.model_copy(update={"name": "B", "description": "other"})) == ()


@pytest.mark.parametrize("name", [*(line.name for line in LINES if line.paid and line.name != "gpu"), "gpu_hour"])
def test_each_price_belongs_to_the_group_of_its_line(name):
    """So the steps of prices can be laid beside the gap by line."""
    group = next(line.group for line in LINES if line.name == {"gpu_hour": "gpu"}.get(name, name))
    assert group_of(("tco", name)) == group
    assert PRICED[group] == GROUPS[group]


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (("horizon",), "time"),
        (("starts",), "repair"),
        (("cluster", "topology"), "plant"),
        (("cluster", "gpus"), "plant"),
        (("cluster", "in_rack_spares"), "spares"),
        (("hazards", "gpu"), "failures"),
        (("hazards", "gpu", "lemons"), "failures"),
        (("hazards", "gpu", "blast"), "plant"),
        (("hazards", "gpu", "wrong_node"), "detection"),
        (("hazards", "gpu", "requalify"), "repair"),
        (("hazards", "gpu", "a key to come"), "failures"),
        (("jobs", "train"), "jobs"),
        (("jobs", "train", "recovery", "spare"), "recovery"),
        (("jobs", "train", "comm"), "jobs"),
        (("uncertain", "hazards.gpu.detect"), "detection"),
        (("uncertain", "tco.gpu_hour"), "gpu"),
        (("tco", "term"), "contract"),
        (("tco",), "contract"),
        (("seed",), "unread"),
        (("a table to come",), "others"),
    ],
)
def test_every_key_has_a_group(path, group):
    """Keys that nobody has thought of belong to their table, tables to the other inputs."""
    assert group_of(path) == group


@pytest.mark.parametrize(("first", "second"), list(zip(SHIPPED, SHIPPED[1:] + SHIPPED[:1], strict=True)))
def test_all_groups_together_make_the_other_scenario(first, second):
    """Whatever two scenarios differ in, nothing is left when all groups have changed hands, from either side."""
    a, b = (without_unread(load(name).model_copy(update={"seed": 0})) for name in (first, second))
    every = frozenset(each.group for each in changes_between(a, b))
    for side, (own, other) in enumerate(((a, b), (b, a))):
        found = with_groups_of_other(own, side, changes_between(a, b), every)
        assert isinstance(found, Scenario)
        assert changes_between(found, other) == ()


def test_one_group_changes_and_no_other():
    """Detection of the other offer: nothing else differs from the first, everything else from the second."""
    changes = changes_between(GOLD, SILVER)
    found = with_groups_of_other(GOLD, 0, changes, frozenset({"detection"}))
    assert [each.key for each in changes_between(GOLD, found)] == ["hazards.gpu.detect"]
    assert {each.group for each in changes_between(found, SILVER)} == {each.group for each in changes} - {"detection"}


def test_what_does_not_fit_is_no_scenario():
    """Gold's 32 spares beside Silver's larger jobs are more GPUs than there are."""
    assert with_groups_of_other(SILVER, 1, changes_between(GOLD, SILVER), frozenset({"spares"})) is None


def hazards(*names):
    """Return Gold with several hazards."""
    entries = tuple(
        GOLD.hazards[0].model_copy(update={"name": name, "blast": size}) for size, name in enumerate(names, 1)
    )
    return GOLD.model_copy(update={"hazards": entries})


def test_jobs_and_hazards_that_one_offer_lacks_come_and_go():
    """Two of three hazards leave and one comes, wherever they stand in the list."""
    a, b = hazards("one", "two", "three"), hazards("three", "four")
    changes = changes_between(a, b)
    assert {each.group for each in changes} == {"failures", "plant"}
    both = frozenset({"failures", "plant"})
    assert {each.key for each in with_groups_of_other(a, 0, changes, both).hazards} == {"three", "four"}
    assert {each.key for each in with_groups_of_other(b, 1, changes, both).hazards} == {"one", "two", "three"}


def test_an_offer_without_prices_differs_in_one_table():
    """Its [tco] table is there or not."""
    bare = GOLD.model_copy(update={"tco": None})
    assert keys(GOLD, bare) == {"tco": ("contract", "yes", "none")}
    assert with_groups_of_other(bare, 1, changes_between(GOLD, bare), frozenset({"contract"})) == GOLD


def test_an_input_that_is_uncertain_on_one_side_only():
    """What may be drawn stands beside "certain", and changes hands with the group of its key."""
    known, unknown = load("unknowns/mtbf-known"), load("unknowns/mtbf-unknown")
    uncertain = {key: value for key, value in keys(known, unknown).items() if key.startswith("uncertain")}
    assert {group for group, _, _ in uncertain.values()} <= set(SIMULATED)
    assert {first for _, first, _ in uncertain.values()} == {"certain"}
