"""Where the seed of a comparison came from, which failures the bridge's folds see, and cautions at their bounds."""

from typing import Any

import pytest

from dcsim.decide import cautions, comparison, theory
from dcsim.decide.estimate import Validity
from dcsim.decide.owner_by_formula import Expected
from dcsim.montecarlo.crew_load import flows
from dcsim.scenario import Scenario, load
from dcsim.scenario.plan import plan


class Asked(Exception):
    """What the simulation was asked for, instead of one."""


def test_only_a_seed_that_was_replaced_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first scenario's seed is its own; the second one's was 5 and is now the first one's."""

    def ask(*_: Any, origins: Any, **__: Any) -> None:
        raise Asked(origins)

    monkeypatch.setattr(comparison, "run_many", ask)
    gold = load("pretrain-5184/gold")
    with pytest.raises(Asked) as asked:
        comparison.compare([gold, gold.model_copy(update={"seed": gold.seed + 1})], origins=[{}, {}])
    assert asked.value.args[0] == [{}, {"seed": comparison.COMMON_SEED}]


def racks(hazard: dict[str, Any], **cluster: Any) -> Scenario:
    """1,024 GPUs in racks of 32 and one job on 960 of them, which all have one hazard."""
    content = {
        "name": "racks",
        "horizon": "12 mo",
        "cluster": {"topology": "hgx-h100", "gpus": 1024, **cluster},
        "jobs": [{"name": "train", "gpus": 960, "recovery": {"kind": "stateless"}}],
        "hazards": [hazard],
    }
    return Scenario.model_validate(content)


def test_recorded_repairs_load_crews_as_if_they_were_exponential() -> None:
    """Of recorded repairs only the mean is taken: one stage of 2 h whose squared variation is 1."""
    trace = {"kind": "trace", "at": ["5 h", "6 h", "30 h"], "repair": ["1 h", "2 h", "3 h"]}
    (found,) = flows(plan(racks({"component": "node", "mtbf": trace})))
    (use,) = found.uses
    assert (use.share, use.mean_ms, use.variation) == (1.0, 7_200_000, 1.0)


def test_an_owner_by_formula_waits_for_visits() -> None:
    """One node in 1,000 h out for half a week and 4 h: 8 of 1,024 GPUs for 88 h of each 1,000."""
    made = racks({"component": "node", "mtbf": "128000 h", "repair": {"time": "4 h", "visits": "tue"}})
    assert Expected.of(made).in_service[0] == pytest.approx(1 - 8 * 88 / 1000 / 1024, rel=1e-9)


def test_theory_of_repairs_that_a_visit_sends_back_is_none() -> None:
    """The wait of a cold job for the next visit is no closed form once a test may send its repair back."""
    repair = {"time": "4 h", "visits": "tue", "silent": "50 %"}
    for finds, known in (({}, True), ({"requalify": "1 h", "requalify_finds": "80 %"}, False)):
        made = racks({"component": "node", "mtbf": "128000 h", "repair": repair, **finds})
        assert (theory._repair_h(plan(made)) is not None) == known


def test_spares_in_a_rack_do_not_replace_those_that_fail_with_them() -> None:
    """A rack of 32 takes its own two spares along: jobs lose 30 GPUs."""
    made = racks({"component": "rack", "mtbf": "50000 h", "repair": "1 h"}, in_rack_spares=2)
    (found,) = [each for each in cautions.cautions([made]) if each.kind == "spares-below-blast"]
    assert found.message.startswith("2 spares in each rack cannot replace the 30 GPUs that")
    assert found.figures["gpus_lost"] == 30


def test_a_charged_size_that_no_job_has_is_the_least_severe() -> None:
    """It is about how the formula is read, not about GPU-hours."""
    (found,) = [
        each
        for each in cautions.cautions([load("pretrain-5184/gold", **{"jobs.pretrain.gpus": 2048})])
        if each.kind == "formula"
    ]
    assert found.message.startswith("the published formula charges 4,096 GPUs per failure")
    assert found.severity == 0.0


@pytest.mark.parametrize(("loss", "gives"), [(1.0, "gives a loss of 100 %"), (0.5, "stops jobs for 200 % of")])
def test_a_loss_of_all_is_told_as_a_loss(monkeypatch: pytest.MonkeyPatch, loss: float, gives: str) -> None:
    """A formula that loses 100 % exactly does not hold for that reason."""
    monkeypatch.setattr(cautions, "formula_validity", lambda _: Validity(loss, 2.0, 8, 8))
    made = racks({"component": "node", "mtbf": "50000 h"})
    (found,) = [each for each in cautions.cautions([made]) if each.kind == "formula"]
    assert gives in found.message
