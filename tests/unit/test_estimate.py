"""How a scenario becomes the numbers that the closed forms take."""

import math

import pytest

from dcsim.decide.estimate import at_mtbf, bill, estimate, job_size, mode_of, mtbf_ranges_h
from dcsim.decide.theory import theory
from dcsim.scenario import load
from dcsim.shipped import shipped_files
from tests.unit.montecarlo_fakes import replicate

GOLD, SILVER = shipped_files("scenarios")["pretrain-5184/gold"], shipped_files("scenarios")["pretrain-5184/silver"]


def silver(**changes):
    """Load the Silver tier with changes."""
    return load(SILVER, **changes)


@pytest.mark.parametrize(
    ("file", "spares", "mode"),
    [(GOLD, 0, "tolerant"), (GOLD, 32, "tolerant"), (SILVER, 0, "cold"), (SILVER, 16, "hot")],
)
def test_the_mode_that_a_scenario_suggests(file, spares, mode):
    """Without rollback the mode is tolerant; with it hot if there are spares, else cold."""
    scenario = load(file, **{"cluster.spares": spares, "jobs.research.gpus": 256})
    keys = scenario.accounting.model_copy(update={"mode": None})
    assert mode_of(scenario.model_copy(update={"accounting": keys})) == mode


def test_a_mode_that_is_given_wins():
    """The Silver tier has no spares and says hot."""
    assert mode_of(silver()) == "hot"


def test_job_size_left_out():
    """The charged size is the sum of squared gang sizes over N: (4096^2 + 4 x 272^2) / 5184."""
    scenario = silver()
    keys = scenario.accounting.model_copy(update={"job_size": None})
    free = scenario.model_copy(update={"accounting": keys})
    assert job_size(free) == pytest.approx((4096**2 + 4 * 272**2) / 5184, rel=1e-14)
    assert job_size(scenario) == 4096


def test_a_derived_blast_is_what_hangs_on_the_part():
    """A GPU failure of blast "tray" takes 4 GPUs, a rack failure the rack of 72; rates follow the parts."""
    charged = (0.25 + 5 / 60) * 4096
    tray = load(GOLD, **{"hazards.gpu.blast": "tray"})
    assert estimate(tray).accounting.downtime_loss == pytest.approx((charged + 0.25 * 4) / 25_000, rel=1e-12)
    rack = load(GOLD, **{"hazards.gpu.component": "rack", "hazards.gpu.blast": "rack"})
    racks = 5184 / 72
    expected = racks / 5184 * (charged + 0.25 * 72) / 25_000
    assert estimate(rack).accounting.downtime_loss == pytest.approx(expected, rel=1e-12)
    assert estimate(rack).accounting.cluster_mtbf_h == pytest.approx(25_000 / racks, rel=1e-12)


def test_the_mean_of_a_repair_distribution_is_charged():
    """A lognormal repair of mean 15 min is charged like 15 min."""
    scenario = load(GOLD, **{"hazards.gpu.repair": {"kind": "lognormal", "mean": "15 min", "sigma": 1.0}})
    assert estimate(scenario).accounting == estimate(load(GOLD)).accounting


def test_renewal_of_a_tolerant_job():
    """Gold's 4,096 GPUs alone lose 1 - e^(-4096/25000 x 20 min)."""
    assert theory(load(GOLD)).goodput_loss == pytest.approx(-math.expm1(-4096 / 25_000 / 3), rel=1e-12)


def test_renewal_of_a_job_that_rolls_back():
    """Silver stalls for detection, failover and restore, and loses what it computed since the last hour."""
    rate, stall = 4096 / 15_000, 1 + 5 / 60 + 15 / 60
    expected = 1 - rate * math.exp(-rate * stall) / math.expm1(rate)
    assert theory(silver()).goodput_loss == pytest.approx(expected, rel=1e-12)


def test_renewal_takes_overheads_from_what_is_left():
    """An overhead of 5 % leaves 95 % of the goodput."""
    plain, slowed = (
        theory(load(GOLD, **{"jobs.pretrain.recovery.memory_overhead": share})).goodput_loss for share in ("0 %", "5 %")
    )
    assert 1 - slowed == pytest.approx(0.95 * (1 - plain), rel=1e-12)


def test_best_intervals_where_writes_cost_time():
    """MTBF 24 h and a write of 5 min: 116.69 min is best, and Daly's published optimum is 117 min."""
    changes = {"hazards.gpu.mtbf": f"{24 * 4096} h", "jobs.pretrain.recovery.checkpoint_write": "5 min"}
    found = theory(silver(**changes))
    assert found.mtbf_h == pytest.approx(24)
    assert found.interval_h == 1
    assert 60 * found.optimal_h == pytest.approx(116.69, abs=0.005)
    assert 60 * found.daly_h == pytest.approx(117, abs=0.5)
    assert found.young_h == pytest.approx(math.sqrt(2 * 5 / 60 * 24))
    rate, stall = 1 / 24, 1 + 20 / 60
    assert found.ettr_first_order == pytest.approx((1 - rate * (stall + 0.5)) / (1 + 5 / 60))


@pytest.mark.parametrize("kind", ["free writes", "no rollback"])
def test_no_interval_is_best(kind):
    """Free writes could be made all the time, and a job that never rolls back needs none."""
    found = theory(silver() if kind == "free writes" else load(GOLD))
    assert found.young_h is found.daly_h is found.optimal_h is None


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("gpu", 8 / 1000),  # any of the 8 GPUs of two trays strikes a gang of 5 that lies in them
        ("node", 2 / 1000),
        ("rack", 1 / 1000),
    ],
)
def test_a_derived_blast_reaches_a_gang_from_every_part_it_lies_in(component, expected):
    """The rate at which a gang of 5 GPUs is struck counts all components whose failure takes some of them along."""
    hazard = {"component": component, "mtbf": "1000 h"}
    scenario = load(GOLD, **{"jobs.pretrain.gpus": 5, "hazards": [hazard], "accounting.job_size": 5})
    assert 1 / theory(scenario).mtbf_h == pytest.approx(expected, rel=1e-12)


def test_theory_of_a_small_gang_under_a_derived_blast_is_what_is_simulated():
    """The share of its own hours that a gang of 6 GPUs in two trays loses: e^(-rate x 30 min), within 4 errors."""
    scenario = load(
        GOLD,
        **{
            "cluster.gpus": 72,
            "cluster.spares": 0,
            "seed": 11,
            "jobs": [{"name": "small", "gpus": 6, "recovery": {"kind": "fault-tolerant", "failover": "30 min"}}],
            "hazards": [{"component": "gpu", "mtbf": "400 h"}],
            "accounting.job_size": 6,
        },
    )
    found = theory(scenario)
    assert found.goodput_loss == pytest.approx(-math.expm1(-8 / 400 / 2))
    goodput = replicate(scenario, 32, workers=1).ettr("small")
    error = goodput.std(ddof=1) / 32**0.5
    assert error < 1e-3
    assert abs(1 - found.goodput_loss - goodput.mean()) < 4 * error


def test_several_ranges_of_mtbf_are_all_named():
    """Two hazards with a range move together, and both are named."""
    rack = {"component": "rack", "mtbf": "5000 h", "mtbf_range": ["1000 h", "9000 h"]}
    gpu = {"component": "gpu", "mtbf": "25000 h", "mtbf_range": ["20000 h", "50000 h"], "blast": 64}
    scenario = load(GOLD, hazards=[gpu, rack])
    assert mtbf_ranges_h(scenario) == (("gpu", 20_000, 50_000), ("rack", 1_000, 9_000))
    assert [each.lifetime.mean_ms / 3_600_000 for each in at_mtbf(scenario, "highest").hazards] == [50_000, 9_000]


def test_a_loss_beyond_one_has_no_price_of_a_useful_hour():
    """The linear formula may charge more than there is: the deck's price goes on, the others are undefined."""
    found = estimate(silver(**{"hazards.gpu.mtbf": "15000 h", "jobs.pretrain.recovery.restore": "10 h"}))
    assert found.accounting.goodput_loss > 1
    prices = found.tco.usd_per_useful_gpu_hour
    assert prices["deck"] == pytest.approx(4 * (1 + found.accounting.goodput_loss))
    assert prices["physical"] is prices["all_in"] is None
    assert found.to_json()["scenarios"][0]["tco"]["usd_per_useful_gpu_hour"]["all_in"] is None


def test_no_tco_no_bill():
    """A scenario without [tco] has an estimate and no bill."""
    free = load(GOLD).model_copy(update={"tco": None})
    assert bill(free, 0.1) is None
    assert estimate(free).tco is None
    assert estimate(free).to_json()["scenarios"][0]["tco"] is None


def test_both_ends_of_the_range_of_mtbf():
    """A range moves the hazards that give one, lifetimes with a shape included, and leaves the others alone."""
    scenario = load(GOLD)
    assert mtbf_ranges_h(scenario) == (("gpu", 25_000, 50_677),)
    best = at_mtbf(scenario, "highest")
    assert best.hazards[0].lifetime.mean_ms == 50_677 * 3_600_000
    assert at_mtbf(scenario, "lowest") == scenario
    shaped = load(GOLD, **{"hazards.gpu.mtbf": {"kind": "exponential", "mean": "30000 h"}})
    assert at_mtbf(shaped, "highest").hazards[0].lifetime.mean_ms == 50_677 * 3_600_000
    fixed = scenario.model_copy(update={"hazards": (scenario.hazards[0].model_copy(update={"mtbf_range": None}),)})
    assert mtbf_ranges_h(fixed) == ()
    assert at_mtbf(fixed, "highest") == fixed


def gold(recovery=None, **hazard):
    """Load the Gold tier with keys of the pre-training's recovery and of its one hazard."""
    changes = {f"jobs.pretrain.recovery.{key}": value for key, value in (recovery or {}).items()}
    return load(GOLD, **changes, **{f"hazards.gpu.{key}": value for key, value in hazard.items()})


RATE = 4096 / 25_000
TIERS = [
    {"name": "peer", "every": "10 min", "write": "1 s", "restore": "2 min", "survives": 16},
    {"name": "storage", "every": "60 min", "write": "30 s", "drain": "5 min", "restore": "10 min"},
]


def tiered(**hazard):
    """Load the Silver tier with two tiers of checkpoints."""
    changes = {f"hazards.gpu.{key}": value for key, value in hazard.items()}
    return silver(**{"jobs.pretrain.recovery": {"kind": "tiered-checkpoint", "tiers": TIERS}}, **changes)


def test_nine_strikes_in_ten_covered():
    """Gold with 90 % coverage, hourly checkpoints and a restore of 10 min loses about 1.1 points more."""
    keys = {"coverage": "90 %", "restore": "10 min"}
    more = theory(gold(keys)).goodput_loss - theory(gold()).goodput_loss
    assert more == pytest.approx(0.1 * RATE * (1 / 2 + 1 / 6), rel=0.2)
    assert more == pytest.approx(0.011, abs=0.001)
    assert theory(gold(keys)).stall_h == pytest.approx(1 / 3 + 0.1 / 6)


def test_a_copy_that_drains_counts_later():
    """An asynchronous checkpoint with a drain of 10 min keeps e^(-rate x 10 min) of the goodput without one."""
    keys = {"kind": "async-checkpoint", "checkpoint_every": "60 min", "restore": "15 min"}
    plain, slow = (
        theory(silver(**{"jobs.pretrain.recovery": {**keys, "checkpoint_drain": drain}})).goodput_loss
        for drain in ("0 s", "10 min")
    )
    assert 1 - slow == pytest.approx((1 - plain) * math.exp(-4096 / 15_000 / 6), rel=1e-12)


def test_restores_that_fail_are_tried_again():
    """A restore of 10 min that succeeds three times in four: x = e^(-rate r) becomes 3/4 x/(1 - x/4)."""
    keys = {"kind": "checkpoint-restart", "checkpoint_every": "60 min", "restore": "10 min"}
    sure, doubtful = (
        theory(load(GOLD, **{"jobs.pretrain.recovery": {**keys, "restore_success": share}}))
        for share in ("100 %", "75 %")
    )
    once = math.exp(-RATE / 6)
    assert (1 - doubtful.goodput_loss) / (1 - sure.goodput_loss) == pytest.approx(0.75 / (1 - once / 4), rel=1e-12)
    assert doubtful.stall_h - sure.stall_h == pytest.approx(1 / 6 / 3)


def test_tiers_by_the_blast():
    """A blast of 16 goes back to the peers' copies, one of 64 to storage, and each has its own restore."""
    small, large = theory(tiered(blast=16)), theory(tiered(blast=64))
    assert (small.stall_h, large.stall_h) == (pytest.approx(1 + 2 / 60), pytest.approx(1 + 10 / 60))
    rate = 4096 / 15_000
    writes = 1 + 1 / 600 + 30 / 3600
    assert small.ettr_first_order is None  # 0.27 x (1.03 + 0.08) is beyond 0.3
    quick = theory(tiered(blast=16, detect="0 s")).ettr_first_order
    assert quick == pytest.approx((1 - rate * (2 / 60 + 5 / 60)) / writes)
    late = theory(tiered(blast=64, detect="0 s")).ettr_first_order
    assert late == pytest.approx((1 - rate * (10 / 60 + 5 / 60 + 30 / 60)) / writes)
    assert small.interval_h == pytest.approx(1 / 6)
    assert small.optimal_h is None


def test_accounting_charges_the_tier_of_the_blast():
    """Half an interval and the restore of the tier that survives 16 or 64 struck GPUs, and the repair of the blast."""
    for blast, half, restore in ((16, 5, 2), (64, 30, 10)):
        charged = (half + restore) / 60 * 4096 + 1.0 * blast
        assert estimate(tiered(blast=blast)).accounting.downtime_loss == pytest.approx(charged / 15_000, rel=1e-12)


def test_a_stateless_gang_starts_again():
    """Detection, failover and a start after every strike, and nothing is lost: e^(-rate x 25 min)."""
    found = theory(
        load(GOLD, **{"jobs.pretrain.recovery": {"kind": "stateless", "failover": "5 min", "restore": "5 min"}})
    )
    assert found.goodput_loss == pytest.approx(-math.expm1(-RATE * 25 / 60), rel=1e-12)
    assert found.ettr_first_order is found.interval_h is None


def test_what_only_slows_is_not_charged():
    """A hazard that degrades stops no job: neither the formula nor the theory counts it; alone it leaves no MTBF."""
    slow = {"name": "optics", "component": "gpu", "mtbf": "100 h", "effect": "degrade", "keeps": "50 %", "blast": 1}
    both = load(GOLD, hazards=[dump(GOLD), slow])
    assert estimate(both).accounting == estimate(gold()).accounting
    assert theory(both) == theory(gold())
    alone = estimate(load(GOLD, hazards=[slow]))
    assert alone.accounting.cluster_mtbf_h is alone.theory.mtbf_h is None
    assert alone.theory.goodput_loss == alone.accounting.downtime_loss == 0


def dump(file):
    """Return a scenario's first hazard as a table."""
    return load(file).hazards[0].model_dump(mode="json", exclude_none=True)


def test_killed_processes_need_no_repair():
    """A kill costs detection and failover of the job; nothing goes to repair, and the fastest tier is good enough."""
    killed = estimate(gold(effect="kill"))
    assert killed.accounting.downtime_loss == pytest.approx((15 + 5) / 60 * 4096 / 25_000)
    assert killed.theory.goodput_loss == pytest.approx(theory(gold()).goodput_loss)
    assert theory(tiered(blast=64, effect="kill")).stall_h == pytest.approx(1 + 2 / 60)


def test_a_straggler_is_struck_when_it_is_found():
    """Detection passes while it is slow, so the stall is failover alone."""
    assert theory(gold(effect="straggle", keeps="50 %")).stall_h == pytest.approx(5 / 60)


def test_no_closed_form_of_corrupt_work():
    """Where work may be corrupt theory says nothing about the loss; the formula goes on."""
    found = estimate(silver(**{"hazards.gpu.effect": "corrupt"}))
    assert found.theory.goodput_loss is None
    assert found.to_json()["scenarios"][0]["goodput"]["renewal_goodput_loss"] is None
    assert found.accounting.goodput_loss > 0


def test_wrong_blame_repeats_the_stall():
    """With one blame in five wrong a stall comes 5/4 times."""
    assert theory(gold(wrong_node="20 %")).stall_h == pytest.approx(1 / 3 / 0.8)


def test_strikes_that_spare_a_stalled_gang():
    """With exposure "running" nothing strikes during the stall: 1/(1 + rate x 20 min) instead of e^(-rate x 20 min)."""
    assert theory(gold(exposure="running")).goodput_loss == pytest.approx(1 - 1 / (1 + RATE / 3), rel=1e-12)
