"""What is said before anything is simulated: each caution where it is due, with its numbers, and nowhere else."""

import math

import pytest

from dcsim.decide.caution import Caution
from dcsim.decide.cautions import cautions, cautions_json, first_screen
from dcsim.decide.estimate import account_scenario, formula_validity
from dcsim.decide.theory import gang_loss
from dcsim.scenario import Scenario, load
from dcsim.scenario.plan import plan
from dcsim.shipped import shipped_files

RESTART = {"kind": "checkpoint-restart", "checkpoint_every": "1 h"}


def scenario(*, gpus=1024, spares=0, jobs=None, hazards=None, horizon="12 mo", **more):
    """Nodes of eight GPUs; a job of 1,000 GPUs with 24 spare ones unless said otherwise."""
    jobs = jobs or [{"name": "train", "gpus": 1000, "recovery": RESTART}]
    hazards = hazards or [{"component": "node", "mtbf": "50000 h", "repair": "1 h"}]
    cluster = {"topology": "hgx-h100", "gpus": gpus, "spares": spares, **more.pop("cluster", {})}
    return Scenario.model_validate(
        {"name": "S", "horizon": horizon, "seed": 4, "cluster": cluster, "jobs": jobs, "hazards": hazards, **more}
    )


def found(made, **how):
    """Kind -> caution of one scenario."""
    return {each.kind: each for each in cautions([made], **how)}


def test_a_plain_scenario_has_none():
    """A full cluster with spares for three nodes, rare failures, quick repair."""
    assert cautions([scenario(spares=24)]) == ()


def test_shipped_scenarios_raise_no_false_alarm():
    """What fires over everything that is shipped, each judged: spares below a blast, a leaf, GPUs that nobody uses."""
    fired = {
        name: [each.kind for each in cautions([load(name)])]
        for name in shipped_files("scenarios")
        if cautions([load(name)])
    }
    assert fired == {
        "nvl72-64-of-72/in-rack": ["spares-below-blast"],
        "operations/technicians-by-day": ["repair-hours"],
        "operations/technicians-visit": ["too-few-spares", "repair-hours"],
        "plant/optics-co-packaged": ["blast-stops-job"],
        "plant/shared-tier": ["unasked-gpus"],
        "pretrain-5184/gold": ["spares-below-blast"],
        "pretrain-5184/hyperscaler": ["spares-below-blast"],
        "pretrain-5184/silver": ["spares-below-blast"],
        "sla/node": ["too-few-spares"],
        "sla/rack": ["too-few-spares"],
        "unknowns/mtbf-known": ["spares-below-blast"],
        "unknowns/mtbf-unknown": ["spares-below-blast"],
    }


# --- repair -----------------------------------------------------------------------------------------------------------


def test_repair_that_cannot_keep_up():
    """128 nodes every 160 h with 10 h of a crew: 128/170 * 10 = 7.53 busy crews, so about 8 are needed."""
    hazard = {"component": "node", "mtbf": "160 h", "repair": {"name": "hands", "time": "10 h", "crews": 2}}
    caution = found(scenario(spares=24, hazards=[hazard]))["repair-overload"]
    assert caution.message.startswith(
        'repair cannot keep up: "hands" needs about 8 crews, but has 2. After 12 mo about '
    )
    assert caution.figures["offered_load"] == pytest.approx(1280 / 170)
    # in the long run 2 crews repair 0.2 nodes an hour, so 32 nodes are up: 128 - 32 less the two under repair
    assert caution.figures["waiting_at_horizon"] == pytest.approx(94, rel=1e-2)
    assert "repair-overload" not in found(scenario(spares=24, hazards=[hazard | {"mtbf": "1600 h"}]))


def test_repair_that_is_nearly_busy():
    """A load of 0.9 of one crew: waits of some nine repair times, and no word of it at a load of 0.7."""
    hazard = {"component": "gpu", "blast": 1, "mtbf": "1e6 h", "repair": {"time": "880 h", "crews": 1}}
    busy = found(scenario(spares=24, hazards=[hazard]))["repair-queue"]
    assert busy.message.startswith(
        'repairs wait long: 1 crew of "gpu" would be busy 90 % of the time, so a repair waits'
    )
    assert "repair-queue" not in found(scenario(spares=24, hazards=[hazard | {"mtbf": "1.3e6 h"}]))


def test_a_repair_beyond_the_horizon():
    """Forty days in a run of thirty."""
    hazard = {"component": "node", "mtbf": "50000 h", "repair": "40 d"}
    caution = found(scenario(spares=24, horizon="30 d", hazards=[hazard]))["long-repair"]
    assert caution.message == (
        'a repair of "node" takes 40 d on average, longer than the horizon of 1 mo: most of what fails is never back.'
    )


# --- spares -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hazard", "spares", "lost"),
    [
        ({"component": "gpu", "mtbf": "25000 h", "blast": 64}, 32, 64),
        ({"component": "node", "mtbf": "25000 h"}, 4, 8),
        ({"component": "gpu", "mtbf": "25000 h", "blast": "rack"}, 16, 32),
        ({"component": "gpu", "mtbf": "25000 h", "effect": "straggle", "keeps": "50 %"}, 4, 8),
    ],
)
def test_spares_smaller_than_a_blast(hazard, spares, lost):
    """Typed blasts and those of the topology; as many spares as one blast are enough; a kill takes no GPU."""
    hazard = hazard | {"repair": "1 h", "name": "x"}

    def made(spare, more=None):
        jobs = [{"name": "train", "gpus": (1024 - spare) // 2, "count": 2, "recovery": RESTART}]
        return found(scenario(spares=spare, jobs=jobs, hazards=[hazard | (more or {})]))

    caution = made(spares)["spares-below-blast"]
    assert caution.message == (
        f'{spares} spares cannot replace the {lost} GPUs that one failure of "x" takes out (repair 1 h on average): '
        "a job waits for the repair."
    )
    assert (caution.figures["gpus_lost"], caution.figures["free_gpus"]) == (lost, spares)
    assert "spares-below-blast" not in made(lost)
    if hazard.get("effect") is None:
        assert "spares-below-blast" not in made(spares, {"effect": "kill"})


def test_gpus_that_no_job_asks_for_are_spares_too():
    """The engine replaces a failed GPU by any free one: 4 spares and 60 idle GPUs cover a blast of 64."""
    hazard = {"component": "gpu", "mtbf": "25000 h", "blast": 64, "repair": "1 h"}
    jobs = [{"name": "train", "gpus": 480, "count": 2, "recovery": RESTART}]
    kinds = found(scenario(spares=4, jobs=jobs, hazards=[hazard]))
    assert "spares-below-blast" not in kinds
    assert kinds["unasked-gpus"].message == (
        "no job asks for 60 of the 1,024 GPUs (5.9 %), and they are no spares: they are paid for and "
        "idle, which is no loss of work."
    )


@pytest.mark.parametrize(
    "recovery",
    [RESTART | {"spare": "cold"}, {"kind": "elastic", "group": 8}],
)
def test_jobs_that_need_no_spares(recovery):
    """A job that waits for its own repair by choice, and one that runs smaller."""
    hazard = {"component": "gpu", "mtbf": "25000 h", "blast": 64, "repair": "1 h"}
    jobs = [{"name": "train", "gpus": 992, "recovery": recovery}]
    assert found(scenario(spares=32, jobs=jobs, hazards=[hazard])) == {}


def test_a_job_that_one_blast_stops():
    """1,000 of 1,024 GPUs cannot run beside a blast of 64: 960 are left, whatever gives way."""
    hazard = {"component": "gpu", "mtbf": "25000 h", "blast": 64, "repair": "1 h"}
    caution = found(scenario(spares=24, hazards=[hazard]))["blast-stops-job"]
    assert caution.message == (
        'job "train" needs 1,000 GPUs and cannot run while one failure of "gpu" is repaired (1 h on average): '
        "960 of 1,024 are left."
    )


def test_fewer_spares_than_are_in_repair():
    """128 nodes that fail every 1,240 h and take 40 h: 4 nodes, 32 GPUs, are in repair, and 24 are free."""
    hazard = {"component": "node", "mtbf": "1240 h", "repair": "40 h"}
    caution = found(scenario(spares=24, hazards=[hazard]))["too-few-spares"]
    assert caution.message == "on average 32 GPUs are in repair and 24 are free to replace them: jobs wait."


def test_spares_in_each_rack():
    """Two spares in a rack of 32 do not cover a node of eight, though there are 64 of them."""
    jobs = [{"name": "train", "gpus": 960, "recovery": RESTART}]
    made = scenario(jobs=jobs, cluster={"in_rack_spares": 2})
    assert found(made)["spares-below-blast"].message.startswith("2 spares in each rack cannot replace the 8 GPUs that")
    jobs = [{"name": "train", "gpus": 768, "recovery": RESTART}]
    assert "spares-below-blast" not in found(scenario(jobs=jobs, cluster={"in_rack_spares": 8}))


# --- formula and jobs -------------------------------------------------------------------------------------------------


def test_a_formula_above_a_hundred_per_cent():
    """The caution has the formula's loss and, beside it, what exact theory says of the first job."""
    made = load("pretrain-5184/gold", **{"hazards.gpu.detect": "20 h"})
    caution = found(made)["formula"]
    loss, exact = account_scenario(made).goodput_loss, gang_loss(plan(made))
    assert loss > 1
    assert caution.message == (
        f"the published formula does not hold: it gives a loss of {100 * loss:.0f} %. "
        f"By exact theory the first job loses {100 * exact:.0f} % of its time, if it never waits for hardware."
    )


def test_a_formula_that_stops_a_job_for_longer_than_there_is_time():
    """Two interruptions an hour of 1 h each stop half of the cluster twice over: a loss of 101 % is not needed."""
    jobs = [{"name": "train", "gpus": 256, "recovery": {"kind": "stateless"}}]
    hazards = [{"component": "node", "mtbf": "64 h", "detect": "1 h"}]
    made = scenario(spares=768, jobs=jobs, hazards=hazards, accounting={"job_size": 256, "mode": "tolerant"})
    validity = formula_validity(made)
    assert validity.stopped == pytest.approx(128 / 64 * 1)
    assert validity.loss == pytest.approx(2 * 256 / 1024 + 0.75)
    less = scenario(jobs=jobs, spares=0, hazards=hazards, accounting={"job_size": 256, "mode": "tolerant"})
    assert formula_validity(less).loss == pytest.approx(0.5)
    assert not formula_validity(less).holds
    assert "it stops jobs for 200 % of the time." in found(less)["formula"].message


def test_many_small_jobs_are_not_stopped_by_each_others_failures():
    """The same failures on 128 jobs of a node each, charged by their mean size: each is stopped 1/64 of its time."""
    jobs = [{"name": "replica", "gpus": 8, "count": 128, "recovery": {"kind": "stateless"}}]
    made = scenario(jobs=jobs, hazards=[{"component": "node", "mtbf": "64 h", "detect": "1 h"}])
    assert formula_validity(made).stopped == pytest.approx(1 / 64)
    assert formula_validity(made).holds


def test_an_interval_longer_than_the_time_between_rollbacks():
    """A node of 125 every 20,000 h is a rollback every 160 h; an interval of 500 h ends once in e^3.125."""
    jobs = [{"name": "train", "gpus": 1000, "recovery": RESTART | {"checkpoint_every": "500 h"}}]
    hazard = {"component": "node", "mtbf": "20000 h", "repair": "1 h"}
    caution = found(scenario(spares=24, jobs=jobs, hazards=[hazard]))["checkpoint-interval"]
    assert caution.figures["interval_without_failure"] == pytest.approx(math.exp(-500 / 160))
    assert caution.message == (
        'job "train" rolls back every 6.67 d on average, but saves its work only every 20.8 d: '
        "one in 23 such intervals ends without a failure."
    )
    jobs = [{"name": "train", "gpus": 1000, "recovery": {"kind": "fault-tolerant", "checkpoint_every": "500 h"}}]
    assert "checkpoint-interval" not in found(scenario(spares=24, jobs=jobs, hazards=[hazard]))


def test_a_job_that_needs_longer_to_run_again_than_it_runs():
    """A rollback every 160 h and 200 h of restore."""
    jobs = [{"name": "train", "gpus": 1000, "recovery": RESTART | {"restore": "200 h"}}]
    hazard = {"component": "node", "mtbf": "20000 h", "repair": "1 h"}
    caution = found(scenario(spares=24, jobs=jobs, hazards=[hazard]))["recovery-time"]
    assert caution.message == (
        'job "train" is interrupted every 6.67 d on average, but needs 8.33 d to run again: it hardly runs.'
    )


def test_work_that_does_not_end():
    """1,000 GPUs need 1,000 h for 1e6 GPU-h: not within 30 d, and with hourly failures not within 45 d either."""
    jobs = [{"name": "train", "gpus": 1000, "work": "1e6 GPU-h", "recovery": RESTART | {"restore": "3 h"}}]
    caution = found(scenario(spares=24, jobs=jobs, horizon="30 d"))["unfinished-work"]
    assert "it needs 41.7 d without any failure, and has 30 d." in caution.message
    often = [{"component": "node", "mtbf": "1000 h", "repair": "10 min"}]
    assert "about" in found(scenario(spares=24, jobs=jobs, hazards=often, horizon="45 d"))["unfinished-work"].message
    assert "unfinished-work" not in found(scenario(spares=24, jobs=jobs, horizon="45 d"))


def test_few_failures():
    """125 of 128 nodes at 400,000 h: 0.31 failures in 1,000 h, so 32 runs have 10, too few for an interval."""
    hazard = {"component": "node", "mtbf": "400000 h", "repair": "1 h"}
    made = scenario(spares=24, horizon="1000 h", hazards=[hazard])
    caution = found(made, runs=32)["few-failures"]
    assert caution.figures["failures_per_run"] == pytest.approx(125 / 400)
    assert caution.message == (
        "few failures: about 0.31 in a run, 10 in 32 runs. A reliable interval of the loss needs about 136 runs."
    )
    assert "few-failures" not in found(made, runs=136)


def test_a_job_that_ends_meets_few_failures():
    """A month of 12 is all that its work takes: a twelfth of the failures, not those of the whole horizon."""
    hazard = {"component": "node", "mtbf": "1e6 h", "repair": "1 h"}
    jobs = [{"name": "train", "gpus": 1000, "work": "720000 GPU-h", "recovery": RESTART}]
    caution = found(scenario(spares=24, jobs=jobs, hazards=[hazard]))["few-failures"]
    assert caution.figures["failures_per_run"] == pytest.approx(125e-6 * 720, rel=1e-3)


def test_a_job_that_never_ends_has_no_figure_of_years():
    """No checkpoint for work of 900 h at a failure every 8 h: more than a hundred horizons."""
    jobs = [
        {"name": "train", "gpus": 1000, "work": "900000 GPU-h", "recovery": RESTART | {"checkpoint_every": "9000 h"}}
    ]
    hazard = {"component": "node", "mtbf": "1000 h", "repair": "1 h"}
    caution = found(scenario(spares=24, jobs=jobs, hazards=[hazard]))["unfinished-work"]
    assert "it needs more than 36,000 d with its failures, and has 360 d." in caution.message


# --- order, JSON ------------------------------------------------------------------------------------------------------


def test_the_worst_comes_first_and_differences_lead_a_comparison():
    """Repair before spares; of three offers the assumptions first, then the worst of each kind."""
    three = cautions([load(f"pretrain-5184/{name}") for name in ("gold", "hyperscaler", "silver")])
    first = first_screen(three)
    assert [each.kind for each in first] == ["assumptions", "spares-below-blast", "spares-below-blast"]
    assert first[0].sentence.startswith(
        "The offers differ in assumed detection, MTBF (mean time between failures) and repair: "
    )
    assert first[1].scenarios == ("Silver-tier",)
    hazard = {"component": "node", "mtbf": "160 h", "repair": {"name": "hands", "time": "10 h", "crews": 2}}
    assert next(iter(found(scenario(spares=24, hazards=[hazard])))) == "repair-overload"


def test_a_kind_of_its_own_comes_before_a_second_of_one_kind():
    """Four cautions of two kinds: the worst of both, then the second of the first."""
    a, b, c = (Caution("formula", (name,), "m") for name in "abc")
    d = Caution("unasked-gpus", ("d",), "m")
    assert first_screen((a, b, c, d)) == (a, d, b)


def test_equal_cautions_are_one():
    """Two scenarios of which the same is true share a sentence."""
    (one,) = [
        each
        for each in cautions([load("unknowns/mtbf-known"), load("unknowns/mtbf-unknown")])
        if each.kind != "assumptions"
    ]
    assert one.scenarios == ("Gold, MTBF known", "Gold, MTBF unknown")
    assert one.to_json()["scenario"] is None


def test_cautions_as_json():
    """Kind, scenario, message and numbers, nothing that JSON does not know."""
    import json

    (entry,) = cautions_json([load("pretrain-5184/gold")])
    assert entry["kind"] == "spares-below-blast"
    assert entry["scenario"] == "Gold-tier"
    assert entry["message"].startswith("32 spares cannot replace the 64 GPUs")
    assert (entry["free_gpus"], entry["gpus_lost"], entry["repair_h"]) == (32, 64, 0.25)
    hazard = {"component": "node", "mtbf": "160 h", "repair": {"name": "hands", "time": "10 h", "crews": 2}}
    json.dumps(cautions_json([scenario(hazards=[hazard])]), allow_nan=False)


# --- working hours ----------------------------------------------------------------------------------------------------


def test_hours_of_repair_that_the_formula_does_not_charge():
    """Work of 3 h on weekdays 9-17: 3 + sum of g/168 (g/2 + 3) = 3 + 15.24 + 2.29 h; a visit a week: 84 + 3 h."""
    hazard = {"component": "node", "mtbf": "90000 h", "repair": {"time": "3 h", "shifts": "weekdays 9-17"}}
    caution = found(scenario(spares=24, hazards=[hazard]))["repair-hours"]
    gaps = [16, 16, 16, 16, 64]
    exact = 3 + sum(gap / 168 * (gap / 2 + 3) for gap in gaps)
    assert caution.figures["repair_h"] == pytest.approx(exact)
    assert caution.figures["work_h"] == pytest.approx(3)
    assert caution.message == (
        'a repair of "node" takes about 20.5 h from identification to return, because those who do it have their '
        "hours: the published formula charges 3 h."
    )
    hazard["repair"] = {"time": "3 h", "visits": "every tuesday"}
    caution = found(scenario(spares=24, hazards=[hazard]))["repair-hours"]
    assert caution.figures["repair_h"] == pytest.approx(87)
    hazard["repair"] = {"time": "3 h", "visits": "every tuesday", "visit_after": "1 d"}
    caution = found(scenario(spares=24, hazards=[hazard]))["repair-hours"]
    rate = 128 / 90_000
    assert caution.figures["repair_h"] == pytest.approx(3 + 24 * (1 + rate * 12) / (1 + rate * 24))
    assert "repair-hours" not in found(scenario(spares=24, hazards=[hazard | {"repair": "3 h"}]))


def test_crews_with_shifts_have_no_formula_for_their_queue():
    """A load of 0.9 x 40/168 of one crew: 90 % of its working hours, and no word of how long a repair waits."""
    stage = {"time": "40 h", "crews": 1, "shifts": "weekdays 9-17"}
    hazard = {"component": "gpu", "blast": 1, "mtbf": f"{1024 * 40 / (0.9 * 40 / 168)} h", "repair": stage}
    busy = found(scenario(spares=24, hazards=[hazard]))["repair-queue"]
    assert busy.message == 'repairs wait long: 1 crew of "gpu" would be busy 90 % of their working hours.'
    assert busy.figures["wait_h"] is None
    hazard["mtbf"] = f"{1024 * 40 / (1.5 * 40 / 168)} h"
    over = found(scenario(spares=24, hazards=[hazard]))["repair-overload"]
    assert over.message.startswith('repair cannot keep up: "gpu" needs about 2 crews, but has 1.')
    hazard["repair"] = {**stage, "at_shift_end": "finish"}  # each of five repairs a week may be finished in overtime
    assert {"repair-overload", "repair-queue"}.isdisjoint(found(scenario(spares=24, hazards=[hazard])))
