"""Burn-in at delivery and after repair, and tests that find silent repairs; times in ms unless written."""

import numpy as np
import pytest

from dcsim import estimate
from dcsim.hazards import Hazard
from dcsim.scenario import read
from dcsim.scenario.rules import broken_rules
from dcsim.scenario.unused import unused_keys
from tests.unit.literal import expect, hazard, job, scenario

GOLD = "pretrain-5184/gold"
OLD = {"kind": "weibull", "mean": "100 h", "shape": 0.5}


def test_eight_hours_of_all_gpus_cost_their_rent():
    """8 h on 5,184 GPUs are 41,472 GPU-hours: 165,888 USD at 4 USD, before the horizon and whatever is lost later."""
    with_it, without = (
        estimate(read(GOLD, set=["tco.gpu_hour=4 USD/GPU-h", f"cluster.burn_in={hours} h"])) for hours in (8, 0)
    )
    assert with_it.scenario.burn_in_gpu_hours == 41_472
    assert with_it.tco.lines["burn_in"] == 165_888
    assert without.tco.lines["burn_in"] == 0
    assert with_it.tco.paid_usd - without.tco.paid_usd == pytest.approx(165_888, rel=1e-9)
    assert with_it.tco.lines["gpu"] == without.tco.lines["gpu"]


def test_what_is_repaired_is_burnt_in_before_it_returns():
    """The GPU fails at 10: 7 in repair, 3 of test and 5 of burn-in until 25; then it restores for 4 + 3 of failover."""
    expect(
        scenario(1, job("a", 1), hazards=[hazard(detect=0, requalify="0.003 s", burn_in="0.005 s")]),
        [[(10, 0, 7)]],
        {"a": {"useful": 10 + 68, "repair": 15, "failover": 3, "restore": 4}},
    )


def test_the_mean_repair_counts_tests_and_stages_that_are_done_again():
    """First stage: 1/2 helps, of that 4/5 silently, 3/4 of that found. Second: silent 1/2, 3/8 found, done 8/5 times.

    The second is reached by 1/2 + 1/2 4/5 3/4 = 4/5 of the failures; tests: 1/2 + 4/5 8/5.
    """
    stages = [{"time": "1 h", "success": "50 %", "silent": "80 %"}, {"time": "10 h", "silent": "50 %"}]
    keys = {"component": "gpu", "mtbf": OLD, "repair": stages, "requalify": "2 h", "requalify_finds": "75 %"}
    found = Hazard.model_validate({**keys, "burn_in": "4 h"})
    tests = 0.5 + 0.8 * 1.6
    assert found.mean_repair_ms == pytest.approx((1 + 0.8 * 1.6 * 10 + 2 * tests + 4) * 3_600_000, rel=1e-12)
    cured = Hazard.model_validate({**keys, "lemons": {"fraction": "10 %", "factor": 3, "cured_by": "repair"}})
    silent = 0.5 * 0.8 * 0.25 + 0.8 * 1.6 * 0.5 * 0.25
    assert cured.cures == pytest.approx(1 - silent, rel=1e-12)


@pytest.mark.parametrize(
    ("keys", "where", "why"),
    [
        ({"requalify_finds": "50 %"}, "requalify", "missing; required (requalify_finds is given)"),
        (
            {"requalify": "1 h", "requalify_finds": "100 %", "repair": {"time": "1 h", "silent": "100 %"}},
            "requalify_finds",
            "found 100 % with a last stage that is always silent; no repair would ever end",
        ),
        (
            {"mtbf": OLD, "burn_in": "1000 h"},
            "burn_in",
            "found 1000 h; only 1.14 % of new parts live that long; at least 50 %",
        ),
    ],
)
def test_keys_that_make_no_sense(keys, where, why):
    """One line at the key that is wrong."""
    with pytest.raises(ValueError, match=where) as error:
        Hazard.model_validate({"component": "gpu", "mtbf": "1000 h", **keys})
    assert why in str(error.value)


def test_a_burn_in_that_nothing_outlives():
    """All lives are 10 h or 20 h: after 15 h of age and 8 h of burn-in nothing would be left."""
    lives = {"kind": "empirical", "values": ["10 h", "20 h"]}
    old = {"name": "old", "component": "gpu", "mtbf": lives, "age": "15 h"}
    made = scenario(1, job("a", 1), hazards=[old], cluster={"burn_in": "8 h"})
    ((where, what),) = [each for each in broken_rules(made) if each[0][0] == "cluster"]
    assert where == ("cluster", "burn_in")
    assert what == "found 8 h; with hazards.old.age = 15 h no component of that lifetime lives that long"


def test_a_burn_in_that_changes_nothing_is_named():
    """Without prices, and where nothing ages, it has no effect; neither has one after a kill."""
    assert unused_keys(scenario(1, job("a", 1), cluster={"burn_in": "8 h"})) == ["cluster.burn_in"]
    killed = hazard("dies", effect="kill", blast=None, repair="0 s", burn_in="1 h")
    assert "hazards.dies.burn_in" in unused_keys(scenario(1, job("a", 1), hazards=[killed]))


def test_no_draw_changes_where_nothing_is_tested():
    """A test that finds nothing draws nothing: repairs are those without it."""
    from dcsim.scenario.plan import plan

    silent = {"time": {"kind": "exponential", "mean": "1 h"}, "success": "50 %", "silent": "40 %"}
    tested = hazard(mtbf=OLD, blast=None, requalify="1 h")
    del tested["repair"]
    first, then = (
        plan(scenario(4, job("a", 4), hazards=[{**tested, "repair": [silent, silent], **more}]))
        .draws(3)[0]
        .outcomes(50)
        for more in ({}, {"requalify_finds": "0 %"})
    )
    assert np.array_equal(first.stages, then.stages)
    assert np.array_equal(first.fixed, then.fixed)
