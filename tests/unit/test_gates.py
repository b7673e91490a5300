"""Gates: how they are read, and what they say of samples that are written by hand."""

import json
import math

import numpy as np
import pytest

from dcsim.decide.gates import Condition, Gate, check_gates, gates_json, judge, read_gates
from dcsim.decide.metrics import METRICS
from dcsim.montecarlo.statistics import quantile, share_interval
from dcsim.report.limits import gate_lines, gate_sentences, limits_section
from dcsim.scenario import ScenarioError, load, read
from tests.unit.results import lost

GOLD, SILVER = load("pretrain-5184/gold"), load("pretrain-5184/silver")


@pytest.mark.parametrize(
    ("text", "kind", "name", "condition"),
    [
        ("loss > 6 %", "mean", "loss", Condition(">", 0.06)),
        ("loss>6%", "mean", "loss", Condition(">", 0.06)),
        ("  mean( loss )  >=  6 % ", "mean", "loss", Condition(">=", 0.06)),
        ("goodput < 93 %", "mean", "goodput", Condition("<", 0.93)),
        ("p95(paid_usd) > 6e8", "quantile", "paid_usd", Condition(">", 6e8)),
        ("p99.9(paid_usd) <= 6e8 USD", "quantile", "paid_usd", Condition("<=", 6e8)),
        ("usd_per_useful_gpu_hour > 4.5", "mean", "usd_per_useful_gpu_hour", Condition(">", 4.5)),
        ("useful_gpu_hours < 1e8 GPU-h", "mean", "useful_gpu_hours", Condition("<", 1e8)),
        ("finish_h > 30 d", "mean", "finish_h", Condition(">", 720.0)),
        ("finish_h > 720", "mean", "finish_h", Condition(">", 720.0)),
        ("p(loss > 8 %) > 5 %", "share", "loss", Condition(">", 0.05)),
        ("p(loss > 8 %) > 0.05", "share", "loss", Condition(">", 0.05)),
    ],
)
def test_a_gate_is_read(text, kind, name, condition):
    """A figure, an operator and a bound in the unit of the figure, blanks or not."""
    gate = Gate.read(text)
    assert (gate.kind, gate.metric, gate.condition) == (kind, METRICS[name], condition)
    assert gate.q == pytest.approx({"p95(": 0.95, "p99.": 0.999}.get(text[:4]))
    assert gate.inner == (Condition(">", 0.08) if kind == "share" else None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("p(cheaper, Gold-tier) < 0.9", "Gold-tier"),
        ('p( cheaper ,"Gold tier (EU), 2nd" )<90 %', "Gold tier (EU), 2nd"),
    ],
)
def test_an_offer_is_named_as_it_is_called(text, name):
    """Also where its name has blanks, commas and brackets."""
    assert (Gate.read(text).name, Gate.read(text).condition) == (name, Condition("<", 0.9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "position 1: found ''; allowed: loss, lost,"),
        ("los > 6 %", "position 1: found 'los'; allowed: loss, lost, goodput,"),
        ("mean(pay_usd) > 1", "position 6: found 'pay_usd'; allowed:"),
        ("loss > 0.06", "position 8: found '0.06'; allowed: a share up to 100 % as text with a unit"),
        ("loss > 6 percent", "position 8: found '6 percent'; allowed: a share up to 100 %"),
        ("loss = 6 %", "position 6: found '= 6 %'; allowed: <, <=, >, >="),
        ("loss", "position 5: found ''; allowed: <, <=, >, >="),
        ("loss >", "position 7: found ''; allowed: a share"),
        ("loss > nan %", "position 8: found 'nan %'; allowed: a share"),
        ("paid_usd > inf", "position 12: found 'inf'; the number must be finite"),
        ("paid_usd > 6 EUR", "position 12: found '6 EUR'; allowed: an amount of money"),
        ("p95(loss > 6 %", "position 10: found '> 6 %'; must be \")\""),
        ("p0(loss) > 6 %", "position 1: found 'p0'; allowed: mean(metric), p95(metric)"),
        ("median(loss) > 6 %", "position 1: found 'median'; allowed: mean(metric), p95(metric)"),
        ("p(loss) > 6 %", "position 7: found ') > 6 %'; allowed: <, <=, >, >="),
        ("p(loss > 6 % > 5 %", 'position 19: found the end; must be ")" behind the bound'),
        ("p(loss > 6 %) > 5", "position 17: found '5'; allowed: a share"),
        ("p(cheaper, ) > 5 %", "position 11: found no name; must be the name of an offer"),
        ("p(cheaper, Gold > 5 %", 'position 22: found the end; must be ")" behind the name'),
        ("p(cheaper) > 5 %", "position 10: found ') > 5 %'; must be \",\""),
    ],
)
def test_a_wrong_gate_has_one_line_with_its_position(text, said):
    """Where in the text, what was found, what is allowed."""
    with pytest.raises(ScenarioError) as found:
        Gate.read(text)
    assert str(found.value).startswith(f'--fail-if "{text}": {said}')


def test_all_wrong_gates_are_told_and_the_nearest_names_with_them():
    """A line for each; a name that may be meant stands behind."""
    with pytest.raises(ScenarioError) as found:
        read_gates(["los > 6 %", "loss > 6 %", "p95(paid_us) > 6e8"])
    first, second = str(found.value).splitlines()
    assert first.endswith('did you mean "loss" or "lost"?')
    assert second.endswith('did you mean "paid_usd"?')


def only(text, *results):
    """Judge one gate of one result."""
    (found,) = judge([Gate.read(text)], results)
    return found


def test_a_mean_by_hand():
    """Of losses of 5 and 7 % the mean is 6 %, ± t(0.975, 1) * 1 %: any bound near it is not certain."""
    result = lost(GOLD, 0.05, 0.07)
    found = only("loss > 5.9 %", result)
    assert found.value == pytest.approx(0.06)
    assert found.ci95 == pytest.approx((0.06 - 0.127062, 0.06 + 0.127062), rel=1e-5)
    assert (found.broken, found.certain) == (True, False)
    assert (only("loss > 6.1 %", result).broken, only("loss > 30 %", result).certain) == (False, True)
    assert only("loss >= 6 %", lost(GOLD, 0.06, 0.06)).broken
    assert not only("loss > 6 %", lost(GOLD, 0.0625, 0.0625 - 0.0025)).certain


def test_one_run_is_never_certain():
    """It has no interval, and says so."""
    found = only("loss > 5 %", lost(GOLD, 0.06))
    assert (found.broken, found.certain, found.ci95) == (True, False, None)
    assert str(found).endswith("6.00 %, not certain: too few runs for an interval")


def test_a_percentile_by_hand():
    """P95 of 101 losses of 1, 2, … 101 permille lies at 96 permille, its interval between values of the sample."""
    losses = [number / 1000 for number in range(1, 102)]
    found = only("p95(loss) > 9 %", lost(GOLD, *losses))
    assert found.value == pytest.approx(0.096)
    low, high = found.ci95
    assert low < 0.096 < high
    assert (found.broken, found.certain) == (True, low > 0.09)
    assert only("p95(loss) > 5 %", lost(GOLD, *losses)).certain
    few = only("p95(loss) > 5 %", lost(GOLD, *losses[:71]))
    assert (few.ci95, few.certain) == (None, False)
    assert "72 are needed" in str(few)


def test_what_is_paid_at_fixed_prices_is_certain():
    """All runs pay the same, and no run could pay anything else."""
    found = only("p95(paid_usd) > 5e8", lost(GOLD, 0.05, 0.07))
    assert (found.broken, found.certain) == (True, True)
    assert found.value == pytest.approx(541_897_113.6)


def test_a_share_of_runs_by_hand():
    """3 of 4 runs lose more than 6 %; the interval is Clopper and Pearson's."""
    found = only("p(loss > 6 %) > 50 %", lost(GOLD, 0.05, 0.07, 0.08, 0.09))
    assert found.value == 0.75
    assert found.ci95 == pytest.approx((0.194120, 0.993691), abs=1e-6)
    assert (found.broken, found.certain) == (True, False)
    assert only("p(loss > 6 %) > 10 %", lost(GOLD, 0.05, 0.07, 0.08, 0.09)).certain


def test_the_cheaper_offer_by_hand():
    """The first offer is cheaper for a useful hour in 2 of 3 runs, and as cheap in the other: 2.5 of 3."""
    a, b = lost(GOLD, 0.05, 0.07, 0.06), lost(GOLD.model_copy(update={"name": "B"}), 0.06, 0.08, 0.06)
    found = only("p(cheaper, Gold-tier) < 90 %", a, b)
    assert found.value == pytest.approx(2.5 / 3)
    assert (found.name, found.broken, found.certain) == ("Gold-tier", True, False)
    assert only("p(cheaper, B) < 0.5", a, b).value == pytest.approx(0.5 / 3)


def test_offers_of_drawn_prices_are_judged_by_pairs():
    """Two runs pay one price, so four runs tell no more of which offer is cheaper than two of other prices do."""
    prices = [{"key": "tco.gpu_hour", "value": {"kind": "choice", "values": ["3 USD", "5 USD"]}}]
    losses, names = (0.05, 0.06, 0.07, 0.06), ("A", "B")
    offers = [read(GOLD, uncertain=prices).model_copy(update={"name": name}) for name in names]
    found = only("p(cheaper, A) < 90 %", lost(offers[0], *losses), lost(offers[1], *(each + 0.01 for each in losses)))
    assert found.value == 1
    assert found.ci95 == share_interval(2.0, 2)


def test_of_three_offers_one_is_cheapest():
    """The shares of all offers add up to 1; what is never useful is never cheap."""
    results = [
        lost(GOLD.model_copy(update={"name": name}), *losses)
        for name, losses in {"A": (0.1, 0.2, 1.0), "B": (0.2, 0.1, 1.0), "C": (1.0, 1.0, 1.0)}.items()
    ]
    shares = [only(f"p(cheaper, {name}) > 0", *results).value for name in "ABC"]
    assert shares == pytest.approx([4 / 9, 4 / 9, 1 / 9])


def test_the_interval_of_a_share_holds_it_at_least_as_often_as_it_says():
    """Exactly, by adding up binomial probabilities; and it is scipy's."""
    from scipy import stats

    for n in (1, 7, 40):
        ends = [share_interval(k, n) for k in range(n + 1)]
        for p in (0.01, 0.3, 0.5, 0.97):
            covered = sum(stats.binom.pmf(k, n, p) for k, (low, high) in enumerate(ends) if low <= p <= high)
            assert covered >= 0.95
        for k in (0, n // 2, n):
            exact = stats.binomtest(k, n).proportion_ci()
            assert ends[k] == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_percentiles_are_those_of_summaries():
    """Interpolated as numpy does it; beside an infinite value there is only that."""
    values = np.random.default_rng(5).normal(size=37)
    assert quantile(values, 0.31) == pytest.approx(np.quantile(values, 0.31), rel=1e-15)
    assert quantile(np.array([1.0, 2.0, math.inf]), 0.95) == math.inf


def test_broken_gates_come_first_those_that_are_certain_before_others():
    """Whatever their order on the command line; every scenario is judged by every gate."""
    gates = read_gates(["loss > 20 %", "loss > 6.2 %", "loss > 1 %"])
    found = judge(gates, [lost(GOLD, 0.06, 0.065)])
    assert [(each.gate.text, each.broken) for each in found] == [
        ("loss > 1 %", True),
        ("loss > 6.2 %", True),
        ("loss > 20 %", False),
    ]
    assert len(judge(gates, [lost(GOLD, 0.06, 0.065), lost(SILVER, 0.3, 0.31)])) == 6


def test_what_json_says():
    """Each gate with its figure, and nothing where none was asked for; what is infinite is null."""
    found = judge(read_gates(["loss > 6 %"]), [lost(GOLD, 0.05, 0.07)])
    (entry,) = gates_json(found)["gates"]
    assert set(entry) == {"text", "name", "value", "ci95", "bound", "broken", "certain"}
    assert (entry["text"], entry["name"], entry["bound"]) == ("loss > 6 %", "Gold-tier", 0.06)
    assert gates_json([]) == {}
    dead = only("p95(usd_per_useful_gpu_hour) > 5", lost(GOLD, *[0.1] * 9, 1.0))
    assert dead.broken
    json.dumps(dead.to_json(), allow_nan=False)
    none = only("usd_per_useful_gpu_hour > 5", lost(GOLD, 1.0, 1.0))
    assert (none.broken, none.certain, none.to_json()["value"]) == (True, False, None)


def test_sentences_name_what_is_broken_and_count_what_holds():
    """A gate that holds has no sentence of its own unless that is not certain."""
    gates = read_gates(["loss > 1 %", "loss > 90 %"])
    assert gate_sentences(judge(gates, [lost(GOLD, 0.06, 0.061)])) == [
        'Gold-tier: --fail-if "loss > 1 %" is broken: 6.05 ± 0.64 %.',
        "1 of 2 gates holds.",
    ]
    assert gate_sentences(judge(gates[1:], [lost(GOLD, 0.06, 0.061)])) == ["The gate holds."]
    assert gate_sentences([]) == []


@pytest.mark.parametrize("option", ["--fail-if", "--fail-under"])
def test_a_share_of_the_horizon_says_so_where_jobs_end(option):
    """The gate counts idle hours after the last job's end, which ``run`` leaves out; two broken gates say it once."""
    ended = lost(load("papers/daly"), 0.94, 0.95)
    gates = [Gate.under(0.5)] if option == "--fail-under" else read_gates(["loss > 50 %", "p95(loss) > 60 %"])
    metric = gates[0].metric.name
    said = (
        f"Where all jobs end, the gate's {metric} is a share of the horizon, after the last job's end included; "
        "lost (the loss until that end) and finish_h (when it is) are of the jobs alone"
    )
    judged = judge(gates, [ended])
    assert gate_lines(judged)[len(gates) :] == [said]
    assert gate_sentences(judged)[len(gates) :] == [f"{said}."]
    assert limits_section(judged).parts[0].notes[1:] == (f"{said}.",)


@pytest.mark.parametrize("text", ["lost > 1 %", "finish_h > 1 h", "loss > 99 %"])
def test_nothing_is_said_of_the_horizon_where_it_is_not_meant(text):
    """Of a figure until the last job's end, and of a gate that holds."""
    assert "horizon" not in " ".join(gate_sentences(judge([Gate.read(text)], [lost(load("papers/daly"), 0.5, 0.5)])))
    assert "horizon" not in " ".join(gate_sentences(judge([Gate.read("loss > 1 %")], [lost(GOLD, 0.5, 0.5)])))


@pytest.mark.parametrize(
    ("text", "scenarios", "common", "said"),
    [
        ("p(cheaper, Gold-tier) < 0.9", [GOLD], True, "needs offers on the same random numbers: dcsim compare"),
        ("p(cheaper, Gold-tier) < 0.9", [GOLD, SILVER], False, "needs offers on the same random numbers"),
        ("p(cheaper, Gold) < 0.9", [GOLD, SILVER], True, "found 'Gold'; allowed: Gold-tier, Silver-tier; did you mean"),
        (
            "p(cheaper, Gold) < 0.9",
            [GOLD.model_copy(update={"name": "Gold, new"}), SILVER],
            True,
            'found \'Gold\'; allowed: "Gold, new", "Silver-tier"; did you mean "Gold, new"?',
        ),
        ("p(cheaper, Gold-tier) < 0.9", [GOLD, GOLD], True, "the name of several offers"),
        ("paid_usd > 1", [GOLD, SILVER.model_copy(update={"tco": None})], True, "Silver-tier has no [tco] table"),
        ("finish_h > 3 d", [GOLD], True, "not every job of Gold-tier has work to finish"),
    ],
)
def test_a_gate_that_does_not_fit_is_refused_before_anything_is_simulated(text, scenarios, common, said):
    """A line for each scenario that has no such figure."""
    with pytest.raises(ScenarioError) as found:
        check_gates([Gate.read(text)], scenarios, common=common)
    assert said in str(found.value)
    check_gates(read_gates(["loss > 6 %", "paid_usd > 1"]), [GOLD, SILVER])
