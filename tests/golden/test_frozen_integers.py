"""No change of the program changes an integer of what was frozen: accounts of shipped and of random scenarios.

A change that is meant to alter results writes them anew with ``scripts/freeze`` and says so in its commit.
"""

from collections.abc import Iterable

import pytest

from dcsim.scenario import Scenario, read
from dcsim.shipped import shipped_files
from tests.golden import frozen

SHIPPED = list(shipped_files("scenarios"))
FAST = [name for name in SHIPPED if name not in frozen.SLOW]
FEW = 300 // len(frozen.KINDS)
"""Random scenarios of each kind that every run of the tests compares; ``exhaustive`` ones compare all."""


def check_shipped(name: str, numbers: Iterable[int]) -> None:
    """Compare these runs of a shipped scenario, integer by integer."""
    runs = frozen.accounts(read(name), list(numbers))
    known = frozen.frozen_shipped()[name]["runs"]
    for run in runs:
        assert frozen.differences(frozen.integers(run), known[run.replication]) == []


def check_random(kind: str, documents: list[dict[str, object]]) -> None:
    """Compare the first random scenarios of a kind by the hash of all their integers."""
    hashes = frozen.frozen_hashes()
    differing = [
        f"scripts/freeze --show {kind}/{number}"
        for number, document in enumerate(documents)
        if frozen.hashed([frozen.integers(run) for run in frozen.accounts(Scenario.model_validate(document))])
        != hashes[f"{kind}/{number}"][0]
    ]
    assert differing == [], "integers differ; run these here and in a checkout of before"


def test_all_of_them_are_frozen() -> None:
    """Every shipped scenario and every random one that is kept has its line, and nothing else has."""
    names = [f"shipped/{name}" for name in SHIPPED]
    for kind in frozen.KINDS:
        documents = frozen.random_scenarios(kind)
        assert len(documents) == frozen.COUNT
        names += [f"{kind}/{number}" for number in range(len(documents))]
    assert list(frozen.frozen_hashes()) == names
    assert list(frozen.frozen_shipped()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_hashes_and_integers_say_the_same(name: str) -> None:
    """The hashes of a shipped scenario are those of the integers that are written beside them."""
    known = frozen.frozen_shipped()[name]
    hashes = frozen.frozen_hashes()[f"shipped/{name}"][:2]
    assert (frozen.hashed(known["runs"]), frozen.hashed(known["failures"])) == hashes
    assert sum(known["failures"].values()) == known["runs"][0]["failures"]


def test_a_difference_is_named() -> None:
    """One integer more or less is told with its owner, its state and both numbers; a new zero is no difference."""
    known = {"failures": 3, "owners": {"job": {"useful": 7}, "rest": {}}}
    found = {"failures": 3, "owners": {"job": {"useful": 6, "wait": 1}, "rest": {}}}
    expected = ["owners.job.useful: 6, frozen: 7", "owners.job.wait: 1, frozen: 0"]
    assert frozen.differences(found, known) == expected
    assert frozen.differences(known, known) == []
    assert frozen.hashed(found) != frozen.hashed(known)


@pytest.mark.parametrize("name", FAST)
def test_a_run_of_each_shipped_scenario_is_as_frozen(name: str) -> None:
    """Run 0 of each shipped scenario that is not slow has the integers that were frozen."""
    check_shipped(name, [0])


@pytest.mark.parametrize("name", FAST)
def test_the_log_of_each_shipped_scenario_is_as_frozen(name: str) -> None:
    """The event log of run 0 has the rows, and its failures by hazard are those, that were frozen."""
    log = frozen.logged(read(name))
    found = frozen.hashed(frozen.failures_by_hazard(log)), frozen.hashed_log(log)
    assert found == frozen.frozen_hashes()[f"shipped/{name}"][1:]


@pytest.mark.parametrize("kind", frozen.KINDS)
def test_the_logs_of_some_random_scenarios_are_as_frozen(kind: str) -> None:
    """The same of the first random scenarios of each kind."""
    hashes, differing = frozen.frozen_hashes(), []
    for number, document in enumerate(frozen.random_scenarios(kind)[:FEW]):
        log = frozen.logged(Scenario.model_validate(document))
        if frozen.hashed_log(log) != hashes[f"{kind}/{number}"][2]:
            differing.append(f"{kind}/{number}")
    assert differing == []


@pytest.mark.parametrize("kind", frozen.KINDS)
def test_some_random_scenarios_are_as_frozen(kind: str) -> None:
    """Runs 0-3 of the first random scenarios of each kind have the integers that were frozen."""
    check_random(kind, frozen.random_scenarios(kind)[:FEW])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SHIPPED)
def test_four_runs_of_each_shipped_scenario_are_as_frozen(name: str) -> None:
    """Runs 0-3 of every shipped scenario, slow ones too, and the failures of run 0 by hazard are as frozen."""
    check_shipped(name, frozen.RUNS)
    expected = frozen.frozen_shipped()[name]["failures"]
    assert frozen.differences(frozen.failures_by_hazard(frozen.logged(read(name))), expected) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", frozen.KINDS)
def test_every_random_scenario_is_as_frozen(kind: str) -> None:
    """Runs 0-3 of every random scenario, and the failures of run 0 by hazard, are as frozen."""
    documents = frozen.random_scenarios(kind)
    check_random(kind, documents)
    hashes = frozen.frozen_hashes()
    for number, document in enumerate(documents):
        log = frozen.logged(Scenario.model_validate(document))
        found = frozen.hashed(frozen.failures_by_hazard(log)), frozen.hashed_log(log)
        assert found == hashes[f"{kind}/{number}"][1:], f"{kind}/{number}"
