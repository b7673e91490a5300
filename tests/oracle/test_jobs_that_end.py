"""Jobs that end: hours and money until done against exact theory, and what is no loss."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from dcsim.cli import app
from dcsim.closed_form import completion
from dcsim.decide import compare, run
from dcsim.decide.cautions import cautions
from dcsim.decide.estimate import estimate
from dcsim.scenario import ScenarioError, load
from tests.oracle.agreement import Comparison

RATE, WORK = 0.15, 10.5  # failures an hour, hours of work of 8 GPUs
H = 3_600_000
TEXT = """
name = "{name}"
horizon = "{horizon}"
seed = {seed}
[cluster]
topology = "hgx-h100"
gpus = {gpus}
[[jobs]]
name = "finetune"
gpus = 8
work = "84 GPU-h"
[jobs.recovery]
kind = "checkpoint-restart"
checkpoint_every = "{every}"
checkpoint_write = "{write}"
restore = "{restore}"
[[hazards]]
name = "interrupt"
component = "node"
mtbf = "6.6667 h"
detect = "{detect}"
repair = "0 s"
[tco]
term = "3 mo"
gpu_hour = "2 USD"
{more}
"""


@pytest.fixture
def job(tmp_path):
    """Write and load a job of 84 GPU-hours on one node."""

    def made(
        name="job", every="30 min", seed=41, gpus=8, write="0 s", restore="0 s", detect="0 s", more="", horizon="3 mo"
    ):
        keys = {"every": every, "seed": seed, "gpus": gpus, "write": write, "restore": restore, "detect": detect}
        path = tmp_path / f"{name}.toml"
        path.write_text(TEXT.format(name=name, more=more, horizon=horizon, **keys))
        return load(path)

    return made


@pytest.mark.parametrize(
    ("every", "hours", "usd", "price"),
    [("10 y", 25.54, 408.6, 4.86), ("30 min", 10.904, 174.5, 2.08)],
)
def test_the_published_two(job, every, hours, usd, price):
    """Without checkpoints (e^(rW) - 1)/r, with n whole pieces n (e^(r t) - 1)/r, at 16 USD an hour for 8 GPUs."""
    found = estimate(job(every=every))
    pieces = 1 if every == "10 y" else WORK / 0.5
    by_hand = pieces * math.expm1(RATE * WORK / pieces) / RATE
    assert found.theory.done_h == pytest.approx(by_hand, rel=1e-5)
    assert found.theory.done_h == pytest.approx(hours, abs=0.005)
    assert found.until_done.paid_usd == pytest.approx(usd, abs=0.05)
    assert found.until_done.usd_per_useful_gpu_hour["all_in"] == pytest.approx(price, abs=0.005)
    assert found.until_done.useful_gpu_hours == 84


def test_completion_with_classes_by_brute_force():
    """Two classes of failures with stalls of their own: 40,000 jobs played by hand, no line of the engine in it."""
    rng = np.random.default_rng(7)
    stalls = [(0.1, 0.5), (0.05, 2.0)]
    rate = sum(each for each, _ in stalls)

    def stall():
        return stalls[0][1] if rng.random() < stalls[0][0] / rate else stalls[1][1]

    def attempt(length):
        """Time until a stretch of this length has passed without a failure."""
        took = 0.0
        while (gap := rng.exponential(1 / rate)) < length:
            took, again = took + gap, stall()
            while (gap := rng.exponential(1 / rate)) < again:
                took, again = took + gap, stall()
            took += again
        return took + length

    played = np.array([attempt(1.1) + attempt(1.1) + attempt(0.5) for _ in range(40_000)])
    assert abs(Comparison("by hand", played, completion(2.5, 1.0, 0.1, stalls)).z) < 4


def test_completion_where_nothing_fails_during_a_stall():
    """Safe stalls: (e^(r s) - 1) failures in the mean a piece, each costs 1/r of computing and its stall."""
    stalls = [(0.1, 0.5), (0.05, 2.0)]
    pieces = 2 * math.expm1(0.15 * 1.1) + math.expm1(0.15 * 0.5)
    expected = pieces * (1 / 0.15 + (0.1 * 0.5 + 0.05 * 2.0) / 0.15)
    assert completion(2.5, 1.0, 0.1, stalls, safe_stall=True) == pytest.approx(expected, rel=1e-12)
    assert completion(2.5, 1.0, 0.1, stalls, safe_stall=True) < completion(2.5, 1.0, 0.1, stalls)


def test_cautions_of_a_job_that_ends_are_about_its_end(job):
    """Work of 10.5 h that is never saved is done after 25.5 h: nothing says that it never ends, or loses all."""
    found = {each.kind: each.message for each in cautions([job(every="10 y")])}
    assert "unfinished-work" not in found
    assert "By exact theory the first job loses 59 % of its time" in found["formula"]
    assert found["checkpoint-interval"].endswith(
        "but saves no work before it is done, after 10.5 h at best: one in 5 such attempts ends without a failure."
    )
    assert cautions([job()]) == ()


def test_completion_at_its_edges():
    """No failures: work and writes; no whole piece: no write; beyond a float: infinite."""
    assert completion(10.0, 1.0, 0.1, []) == pytest.approx(10 + 9 * 0.1)
    assert completion(10.0, 100.0, 0.1, []) == 10.0
    assert completion(1e4, 1e5, 0.0, [(1.0, 0.0)]) == math.inf
    assert completion(10.0, 1e9, 0.0, [(0.15, 0.0)]) == pytest.approx(math.expm1(1.5) / 0.15)
    assert completion(1.0, 0.1, 0.0, [(0.2, 0.0)]) == pytest.approx(10 * math.expm1(0.02) / 0.2)


@pytest.mark.parametrize(
    "keys",
    [
        {"every": "10 y"},
        {"every": "30 min"},
        {"every": "2 h", "write": "3 min", "restore": "10 min", "detect": "20 min"},
        {"every": "45 min", "write": "1 min"},  # 10.5 h is exactly 14 pieces
    ],
)
def test_the_simulation_meets_exact_theory(job, keys):
    """Hours until done, and paid: 500 runs within four standard errors."""
    scenario = job(**keys, horizon="20 d")
    found = run(scenario, replications=500, workers=1)
    expected = estimate(scenario)
    assert found.done.share == 1
    assert abs(Comparison("hours", found.sample.answer_ms / H, expected.theory.done_h).z) < 4
    assert abs(Comparison("paid", found.money.paid, expected.until_done.paid_usd).z) < 4
    assert found.paid_usd.mean == pytest.approx(found.done.hours.mean * 16, rel=1e-9)
    assert found.tco.useful_gpu_hours == pytest.approx(84, rel=1e-9)
    assert found.useful_hour_usd.mean == found.tco.paid_usd / found.tco.useful_gpu_hours
    assert found.lost.mean == pytest.approx(1 - 84 / 8 / found.done.hours.mean, rel=1e-9)


def test_what_comes_after_the_end_is_no_loss(job):
    """Of three months the job takes half a day; the loss of the horizon says 99.5 %, the answer does not."""
    found = run(job(), replications=50, workers=1)
    assert found.loss.mean > 0.99  # keeps its definition
    assert found.lost.mean < 0.1
    assert found.unasked == 0
    assert sum(found.shares.values()) == pytest.approx(1, abs=1e-12)
    assert found.shares["useful"] == pytest.approx(1 - found.lost.mean, rel=1e-9)


def test_a_contract_that_runs_on(job):
    """until = "term": three months are paid, whatever happens; hours and losses are still those until done."""
    open_end, term = job("open", seed=5), job("term", seed=5, more='until = "term"')
    one, other = (run(each, replications=20, workers=1) for each in (open_end, term))
    assert other.paid_usd.mean == 3 * 720 * 16
    assert other.paid_usd.half_width == 0
    assert other.lost.mean == one.lost.mean
    assert other.done.hours.mean == one.done.hours.mean
    assert other.useful_hour_usd.mean == pytest.approx(3 * 720 * 16 / 84)
    assert other.tco.lines["goodput"] == pytest.approx(one.tco.lines["goodput"], rel=1e-9)
    assert estimate(term).until_done.paid_usd == 3 * 720 * 16


def test_a_term_that_is_too_short_is_paid_until_done(job):
    """A contract of one hour for a job that takes ten: rent runs until the job is done."""
    long = job(more='until = "term"')
    short = long.model_copy(update={"tco": long.tco.model_copy(update={"term": H})})
    found = run(short, replications=20, workers=1)
    assert found.paid_usd.mean == pytest.approx(found.done.hours.mean * 16, rel=1e-9)


def test_gpus_that_no_job_asked_for_until_done(job):
    """Twice the GPUs for the same job: half of the rent is for GPUs that no job asked for, and not lost."""
    found = run(job(gpus=16), replications=50, workers=1)
    assert found.unasked == pytest.approx(0.5, rel=1e-9)
    assert found.lost.mean + found.unasked + found.shares["useful"] == pytest.approx(1, abs=1e-9)
    assert found.paid_usd.mean == pytest.approx(found.done.hours.mean * 32, rel=1e-9)


def test_two_jobs_2_3_times_apart_are_not_the_same(job):
    """The verdict ranks by what is paid until done."""
    pair = [job("with", horizon="20 d"), job("without", every="10 y", horizon="20 d")]
    found = compare(pair, replications=400, workers=1)
    assert found.verdict.to_json()["cheapest"] == "with"
    ratio = found.runs[1].useful_hour_usd.mean / found.runs[0].useful_hour_usd.mean
    assert ratio == pytest.approx(2.34, abs=0.3)
    assert found.bridges == ()


def test_a_job_that_does_not_finish_is_paid_until_the_horizon(job):
    """Work for 10.5 h in a horizon of 11 h: the runs that are cut are paid to the horizon, and their share is said."""
    short = job(every="10 y").model_copy(update={"horizon": 11 * H})
    found = run(short, replications=400, workers=1)
    done = found.sample.done
    assert 0 < found.done.share < 1
    assert found.done.share == done.mean()
    assert (found.sample.answer_ms[~done] == short.horizon).all()
    alone, lucky = (
        math.exp(-RATE * WORK),
        1 - math.exp(-RATE * 0.5),
    )  # no failure; or all of them in the first half hour
    low, high = alone, alone + lucky
    assert low - 4 * math.sqrt(low / 400) < found.done.share < high + 4 * math.sqrt(high / 400)


def test_only_jobs_that_all_end_may_stop_the_rent(job):
    """until = "done" where some job runs to the horizon is a mistake that names its key."""
    with pytest.raises(ScenarioError, match=r'tco\.until: found "done"; allowed only where every job has work'):
        load("pretrain-5184/gold", **{"tco.until": "done"})
    assert job(more='until = "done"').tco.until == "done"


def test_the_command_line_says_so(job, tmp_path):
    """The first lines give hours, paid and the price; JSON has the same."""
    job("ckpt30")
    asked = ["run", str(tmp_path / "ckpt30.toml"), "-n", "20", "-o", str(tmp_path), "--no-report"]
    out = CliRunner().invoke(app, asked)
    assert out.exit_code == 0, out.stderr
    text = " ".join(out.stdout.split())
    assert text.startswith("ckpt30: the job is done after 1")
    assert "Paid until the last job is done: 1" in text
    (entry,) = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["scenarios"]
    money = entry["tco"]
    assert money["until"] == "done"
    assert money["usd_per_useful_gpu_hour"]["all_in"] == money["paid_usd"]["mean"] / money["useful_gpu_hours"]
    assert money["useful_gpu_hours"] == pytest.approx(84)
    assert entry["done_h"]["finished_share"] == 1
    assert entry["goodput"]["loss"]["mean"] > 0.99
    assert entry["goodput"]["lost"]["mean"] < 0.2
