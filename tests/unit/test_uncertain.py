"""Values that nobody knows: what may be written, what is drawn, and who shares a draw."""

import math
import sys

import numpy as np
import pytest

from dcsim.engine import simulate
from dcsim.scenario import ScenarioError, certain, load, sha256, to_toml
from dcsim.scenario.sampled import at_ranks, inputs_drawn, sampled
from dcsim.scenario.uncertain import factor

HOUR = 3_600_000
BASE = """\
name = "Unknown"
horizon = "20 d"
seed = 7
[cluster]
topology = "gb300-nvl72"
gpus = 144
spares = 8
[[jobs]]
name = "train"
gpus = 128
[jobs.recovery]
kind = "checkpoint-restart"
checkpoint_every = "30 min"
[[hazards]]
component = "gpu"
mtbf = "1000 h"
blast = 4
detect = { kind = "lognormal", mean = "5 min", sigma = 0.5 }
repair = "1 h"
[tco]
gpu_hour = "4 USD"
support = "2 %"
"""


@pytest.fixture
def read(tmp_path):
    """Give a function that loads the base with uncertain values: pairs of key and inline table."""

    def loaded(*pairs, correlated=(), **how):
        tables = "".join(f'[[uncertain]]\nkey = "{key}"\nvalue = {{ {value} }}\n' for key, value in pairs)
        tables += "".join(f'[[correlated]]\nkeys = ["{a}", "{b}"]\nrank_correlation = {r}\n' for a, b, r in correlated)
        (tmp_path / "unknown.toml").write_text(BASE + tables)
        return load(tmp_path / "unknown.toml", **how)

    return loaded


MTBF = ("hazards.gpu.mtbf", 'kind = "uniform", low = "500 h", high = "2000 h"')


def test_two_replications_share_a_draw(read):
    """Replications 2 i and 2 i + 1 have the same MTBF, others another; the point value is nobody's."""
    scenario = read(MTBF)
    drawn = [sampled(scenario, number).hazards[0].mtbf / HOUR for number in range(40)]
    assert drawn[::2] == drawn[1::2]
    assert len(set(drawn)) == 20
    assert all(500 <= each <= 2000 for each in drawn)
    assert scenario.hazards[0].mtbf == certain(scenario).hazards[0].mtbf == 1000 * HOUR


def test_what_is_sampled_is_a_scenario_like_any_other(read):
    """A sample differs in the drawn value only and has nothing uncertain left; the engine conserves its N * H."""
    scenario = read(MTBF)
    one = sampled(scenario, 3)
    hazard = one.hazards[0].model_copy(update={"mtbf": 1000 * HOUR})
    assert one.uncertain == certain(scenario).uncertain == ()
    assert one.model_copy(update={"hazards": (hazard,)}) == certain(scenario)
    assert one.hazards[0].mtbf != 1000 * HOUR
    assert int(simulate(one, 3).gpu_ms.sum()) == scenario.capacity_gpu_ms


def test_a_certain_scenario_is_its_own_sample(read):
    """Without uncertain values nothing is drawn and nothing is copied."""
    scenario = read()
    assert sampled(scenario, 5) is scenario
    assert certain(scenario) is scenario
    assert "uncertain" not in to_toml(scenario)


def test_a_draw_depends_on_its_own_key_only(read):
    """A second uncertain value, another order or another spelling of the key shifts no draw of the first."""
    alone = read(MTBF)
    price = ("tco.gpu_hour", 'kind = "uniform", low = "3 USD", high = "5 USD"')
    both = read(price, ("hazards.0.mtbf", MTBF[1]))
    assert [each.key for each in both.uncertain] == ["tco.gpu_hour", "hazards.gpu.mtbf"]
    for number in (0, 2, 100):
        assert sampled(both, number).hazards == sampled(alone, number).hazards
    ranks = [(sampled(both, number).tco.gpu_hour - 3) / 2 for number in range(0, 20, 2)]
    mtbfs = [(sampled(both, number).hazards[0].mtbf / HOUR - 500) / 1500 for number in range(0, 20, 2)]
    assert not np.allclose(ranks, mtbfs)


def test_compared_scenarios_have_equal_ranks(read):
    """Two scenarios with other ends for one key draw the same rank between them; another seed draws another."""
    narrow = read(("hazards.gpu.mtbf", 'kind = "uniform", low = "900 h", high = "1100 h"'))
    wide = read(MTBF)
    other = read(MTBF, seed=8)
    for number in (0, 2, 4):
        rank = (sampled(wide, number).hazards[0].mtbf / HOUR - 500) / 1500
        assert (sampled(narrow, number).hazards[0].mtbf / HOUR - 900) / 200 == pytest.approx(rank, abs=1e-6)
        assert (sampled(other, number).hazards[0].mtbf / HOUR - 500) / 1500 != pytest.approx(rank, abs=1e-6)


def test_a_resolved_file_keeps_what_is_uncertain(read, tmp_path):
    """The resolved scenario is read back equal, and its hash covers the distribution, whatever the units."""
    scenario = read(MTBF)
    (tmp_path / "resolved.toml").write_text(to_toml(scenario))
    assert load(tmp_path / "resolved.toml") == scenario
    same = read(("hazards.0.mtbf", 'kind = "uniform", low = "30000 min", high = "2000 h"'))
    assert sha256(same) == sha256(scenario)
    assert len({sha256(each) for each in (scenario, read(), read((MTBF[0], MTBF[1].replace("2000", "2001"))))}) == 3


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("jobs.train.gpus", 'kind = "choice", values = [64, 96, 128]', lambda one: one.jobs[0].gpus),
        ("cluster.spares", 'kind = "uniform", low = 0, high = 16', lambda one: one.cluster.spares),
        ("tco.support", 'kind = "triangular", low = "0 %", mode = "1 %", high = "5 %"', lambda one: one.tco.support),
        (
            "hazards.gpu.detect.sigma",
            'kind = "uniform", low = 0.1, high = 1.0',
            lambda one: one.hazards[0].detect.sigma,
        ),
        ("hazards.gpu.repair", 'kind = "lognormal", mean = "1 h", sigma = 0.5', lambda one: one.hazards[0].repair),
    ],
)
def test_numbers_shares_and_times_may_be_uncertain(read, key, value, found):
    """Whole numbers stay whole, texts keep their units, and every draw lies between the ends."""
    scenario = read((key, value))
    drawn = [found(sampled(scenario, 2 * number)) for number in range(50)]
    assert len(set(drawn)) > 2
    assert {type(each) for each in drawn} == {type(found(scenario))}
    (low, high) = (scenario.uncertain[0].value.quantile(u) for u in (0, 1))
    assert low <= min(drawn) < max(drawn) <= high


@pytest.mark.parametrize(
    ("value", "mean", "sd"),
    [
        ('kind = "uniform", low = "1 h", high = "3 h"', 2, 2 / math.sqrt(12)),
        ('kind = "lognormal", mean = "2 h", sigma = 0.35', 2, 2 * math.sqrt(math.exp(0.35**2) - 1)),
        ('kind = "triangular", low = "1 h", mode = "2 h", high = "6 h"', 3, math.sqrt((1 + 4 + 36 - 2 - 6 - 12) / 18)),
        ('kind = "triangular", low = "1 h", mode = "1 h", high = "1 h"', 1, 0),
        ('kind = "choice", values = ["3 h", "1 h"]', 2, 1),
    ],
)
def test_moments_of_the_distributions(read, value, mean, sd):
    """Mean and standard deviation of the quantile function are those of the law (midpoint rule, 20,001 points)."""
    scenario = read(("hazards.gpu.repair", value))
    numbers = np.array([scenario.uncertain[0].value.quantile((i + 0.5) / 20_001) for i in range(20_001)]) / HOUR
    assert numbers.mean() == pytest.approx(mean, rel=1e-4)
    assert numbers.std() == pytest.approx(sd, rel=2e-3, abs=1e-12)
    assert (np.diff(numbers) >= 0).all()


def test_draws_are_uniform_in_rank(read):
    """The mean rank of 4,000 draws is a half and their variance a twelfth, within four standard errors."""
    value = read(MTBF)
    ranks = np.array([(sampled(value, 2 * number).hazards[0].mtbf / HOUR - 500) / 1500 for number in range(4000)])
    assert abs(ranks.mean() - 0.5) < 4 / math.sqrt(12 * 4000)
    assert abs(ranks.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / 4000)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("horizon", 'kind = "uniform", low = "1 d", high = "2 d"', "cannot be uncertain: all replications must cover"),
        ("cluster.gpus", 'kind = "choice", values = [144]', "all replications must cover the same GPU-hours"),
        ("accounting.job_size", 'kind = "choice", values = [144]', "cannot be uncertain: no simulation uses it"),
        ("cluster.topology.node.gpus", 'kind = "choice", values = [4]', "cannot be uncertain: the topology"),
        ("hazards.gpu.mtbff", MTBF[1], "'mtbff' is not set in hazards.gpu; an uncertain key needs a value; did"),
        ("jobs.other.work", 'kind = "choice", values = ["1 GPU-h"]', "'other' is not set in jobs"),
        ("jobs.9.gpus", 'kind = "choice", values = [1]', "'9' is not set in jobs"),
        ("tco..x", MTBF[1], "must be a key, such as hazards.gpu.mtbf"),
        ("hazards.gpu.component", MTBF[1], "which is 'gpu'; must be a quantity or a number"),
        ("hazards.gpu.detect", MTBF[1], "which is a table; must be a quantity or a number"),
        ("hazards.gpu.mtbf", 'kind = "uniform", low = "5 %", high = "10 %"', "at 5 % (quantile 0): hazards"),
        ("hazards.gpu.mtbf", 'kind = "uniform", low = "5 h", high = 10', "found values of several kinds"),
        ("hazards.gpu.mtbf", 'kind = "uniform", low = "5 h", high = "4 h"', "found values out of order; must ascend"),
        ("hazards.gpu.mtbf", 'kind = "uniform", low = "0 h", high = "4 h"', "at 0 s (quantile 0): hazards.gpu.mtbf"),
        ("hazards.gpu.mtbf", 'kind = "uniform", low = "5 parsec", high = "4 h"', "found '5 parsec'; allowed: a"),
        ("hazards.gpu.mtbf", 'kind = "normal", mean = "5 h"', "allowed: lognormal, uniform, triangular, choice"),
        ("hazards.gpu.mtbf", 'kind = "lognormal", mean = "5 h", sigma = 9', "must be at most 3"),
        ("cluster.spares", 'kind = "uniform", low = 0, high = 20', "(quantile 1): jobs: found 148 GPUs"),
        ("tco.support", 'kind = "lognormal", mean = "50 %", sigma = 1.0', "(quantile 1): tco.support: found"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(read, key, value, expected):
    """What cannot be drawn is told once, with its path and in the words of the key."""
    with pytest.raises(ScenarioError) as error:
        read((key, value))
    (problem,) = error.value.problems
    assert problem.path.startswith("uncertain.0")
    assert expected in str(problem)
    assert problem.line >= BASE.count("\n")


def test_one_distribution_a_key(read):
    """Two tables of one key, however it is spelt, are one mistake."""
    with pytest.raises(ScenarioError, match=r"the key of uncertain\.0 too"):
        read(MTBF, ("hazards.0.mtbf", MTBF[1]))


def test_ends_must_fit_together(read):
    """Spares and a job that fit alone, but not both at their highest, are one mistake that names both."""
    gpus = ("jobs.train.gpus", 'kind = "uniform", low = 128, high = 134')
    spares = ("cluster.spares", 'kind = "uniform", low = 0, high = 16')
    assert read(gpus).uncertain
    assert read(spares).uncertain
    with pytest.raises(
        ScenarioError, match=r"together, at jobs\.train\.gpus 13.*, cluster\.spares 1.*: jobs: found"
    ) as it:
        read(gpus, spares)
    assert len(it.value.problems) == 1


def test_rules_for_intervals_follow_the_draw(read):
    """A checkpoint interval by Young's rule is that of the MTBF that is drawn."""
    from dcsim.scenario.plan import plan

    rule = {"jobs.train.recovery.checkpoint_every": "young", "jobs.train.recovery.checkpoint_write": "1 min"}
    scenario = read(MTBF, **rule)
    every = [plan(sampled(scenario, number)).gangs[0].recovery.checkpoint_every for number in (0, 2, 4)]
    mtbf = [sampled(scenario, number).hazards[0].mtbf for number in (0, 2, 4)]
    assert every[0] / every[1] == pytest.approx(math.sqrt(mtbf[0] / mtbf[1]), rel=1e-3)
    assert every[0] / every[2] == pytest.approx(math.sqrt(mtbf[0] / mtbf[2]), rel=1e-3)


# --- values that are drawn together -----------------------------------------------------------------------------------

REPAIR = ("hazards.gpu.repair", 'kind = "lognormal", mean = "1 h", sigma = 0.5')
EVERY = ("jobs.train.recovery.checkpoint_every", 'kind = "uniform", low = "10 min", high = "50 min"')
PRICE = ("tco.gpu_hour", 'kind = "triangular", low = "3 USD", mode = "4 USD", high = "5 USD"')


def drawn(scenario, count):
    """What is drawn of each key, float64 (keys, count)."""
    return np.array([list(inputs_drawn(scenario, 2 * number).values()) for number in range(count)]).T


@pytest.mark.parametrize("asked", [-1.0, -0.6, 0.3, 0.9, 1.0])
def test_draws_have_the_rank_correlation_that_is_asked_for(read, asked):
    """Spearman's coefficient of 4,000 draws is the one of the table within four standard errors; each law stays."""
    from scipy.stats import kstest, spearmanr

    scenario = read(REPAIR, MTBF, correlated=[(REPAIR[0], MTBF[0], asked)])
    repairs, mtbfs = drawn(scenario, 4000)
    assert abs(spearmanr(repairs, mtbfs).statistic - asked) < 4 * (1 - asked**2) * 1.1 / math.sqrt(4000) + 1e-4
    assert kstest((mtbfs / HOUR - 500) / 1500, "uniform").pvalue > 1e-4
    assert kstest(repairs, drawn(read(REPAIR), 4000)[0]).pvalue > 1e-4


def test_three_values_drawn_together(read):
    """All three coefficients are met at once, and the pair without a table has none."""
    from scipy.stats import spearmanr

    table = [(REPAIR[0], MTBF[0], 0.7), (EVERY[0], MTBF[0], -0.5)]
    found = spearmanr(drawn(read(REPAIR, MTBF, EVERY, correlated=table), 4000), axis=1).statistic
    assert found == pytest.approx(np.array([[1, 0.7, 0], [0.7, 1, -0.5], [0, -0.5, 1]]), abs=0.06)


def test_a_table_changes_no_other_draw(read):
    """The first key of a pair and every key without a table keep their draws, and so does all that has no table."""
    keys = (REPAIR, MTBF, EVERY, PRICE)
    free = drawn(read(*keys), 20)
    bound = drawn(read(*keys, correlated=[(MTBF[0], REPAIR[0], 0.5)]), 20)
    assert [bool((a == b).all()) for a, b in zip(free, bound, strict=True)] == [False, True, True, True]
    assert drawn(read(*keys, correlated=[(MTBF[0], REPAIR[0], 0.0)]), 20).tolist() == free.tolist()


def test_no_price_changes_what_is_simulated(read):
    """A price that is correlated with a repair time follows it; the time is drawn as without, whatever the order."""
    table = [(PRICE[0], REPAIR[0], -0.8)]
    for keys in ((PRICE, REPAIR), (REPAIR, PRICE)):
        bound, free = (
            dict(zip([key for key, _ in keys], drawn(read(*keys, correlated=its), 9), strict=True))
            for its in (table, ())
        )
        assert (bound[REPAIR[0]] == free[REPAIR[0]]).all()
        assert (bound[PRICE[0]] != free[PRICE[0]]).all()


def test_a_table_of_correlations_is_kept(read, tmp_path):
    """The resolved scenario has the table with settled keys, its hash covers it, and one without has no such key."""
    scenario = read(REPAIR, MTBF, correlated=[("hazards.0.mtbf", REPAIR[0], 0.5)])
    assert scenario.correlated[0].keys == (MTBF[0], REPAIR[0])
    (tmp_path / "resolved.toml").write_text(to_toml(scenario))
    assert load(tmp_path / "resolved.toml") == scenario
    assert sha256(scenario) != sha256(read(REPAIR, MTBF))
    assert "correlated" not in to_toml(read(REPAIR, MTBF))
    assert certain(scenario).correlated == sampled(scenario, 0).correlated == ()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([(MTBF[0], "hazards.gpu.detect", 0.5)], "correlated.0.keys: found 'hazards.gpu.detect', which has no"),
        ([(MTBF[0], "hazards.gpu.repairs", 0.5)], "did you mean"),
        ([(MTBF[0], "hazards.0.mtbf", 0.5)], "found 'hazards.gpu.mtbf' twice; must be two keys"),
        ([(MTBF[0], REPAIR[0], 0.5), (REPAIR[0], "hazards.0.mtbf", 0.4)], "found the keys of correlated.0 again"),
        ([(MTBF[0], REPAIR[0], 1.5)], "rank_correlation: found 1.5; must be at most 1"),
        (
            [(MTBF[0], REPAIR[0], 0.9), (REPAIR[0], EVERY[0], 0.9), (MTBF[0], EVERY[0], -0.9)],
            "correlated: found hazards.gpu.mtbf with hazards.gpu.repair 0.9, hazards.gpu.mtbf with jobs.train.recovery"
            ".checkpoint_every -0.9, hazards.gpu.repair with jobs.train.recovery.checkpoint_every 0.9; no values have "
            "these rank correlations together (not positive semi-definite)",
        ),
    ],
)
def test_a_mistake_in_the_table_is_one_line(read, table, expected):
    """Keys without a distribution, pairs given twice and correlations that contradict one another are told once."""
    with pytest.raises(ScenarioError) as error:
        read(MTBF, REPAIR, EVERY, correlated=table)
    (problem,) = error.value.problems
    assert expected in str(problem)


def test_the_triangle_of_a_matrix():
    """L L' gives the matrix back, of full rank (as numpy has it) or not; what is no correlation matrix has none."""
    rng = np.random.default_rng(20261128)
    for rank in (2, 5):
        rows = rng.normal(size=(5, rank))
        rows /= np.linalg.norm(rows, axis=1)[:, None]
        lower = np.array(factor((rows @ rows.T).tolist()))
        assert lower @ lower.T == pytest.approx(rows @ rows.T, abs=1e-9)
        assert (np.triu(lower, 1) == 0).all()
    assert lower == pytest.approx(np.linalg.cholesky(rows @ rows.T), abs=1e-9)
    assert factor([[1, 1, 0], [1, 1, 0.1], [0, 0.1, 1]]) is None
    assert factor([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]) is None


def test_series_of_draws_are_independent(read):
    """Another series of a key has other draws of the same law; the other keys keep theirs."""
    from dcsim.scenario import Scenario

    first = read(REPAIR, MTBF)
    data = first.model_dump(mode="json", exclude_none=True)
    data["uncertain"][1]["series"] = 1
    second = Scenario.model_validate(data)
    (repairs, mtbfs), (same, others) = drawn(first, 500), drawn(second, 500)
    assert (repairs == same).all()
    assert not (mtbfs == others).any()
    assert abs(np.corrcoef(mtbfs, others)[0, 1]) < 4 / math.sqrt(500)


def test_no_interrupt_is_lost_while_values_are_drawn(read):
    """Ctrl-C at any call of a draw ends it as Ctrl-C: no other error, and never nothing."""
    scenario = read(MTBF)
    sampled(scenario, 0)

    def interrupted(at):
        """Draw, with an interrupt at a call; return what came of it, and the calls that were made."""
        calls = 0

        def count(*_):
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt

        sys.setprofile(count)
        try:
            at_ranks(scenario, {MTBF[0]: 0.3})
            came = "nothing"
        except BaseException as error:
            came = type(error).__name__
        finally:
            sys.setprofile(None)
        return came, calls

    came, calls = interrupted(at=0)
    assert came == "nothing"
    assert calls > 200
    assert {interrupted(at)[0] for at in range(1, calls - 10, 7)} == {"KeyboardInterrupt"}
