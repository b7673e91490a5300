"""The ClusterMAX formulas against the published resiliency table (SemiAnalysis, "From Fab to Token")."""

import pytest

from dcsim.closed_form import HazardCharge, account, charge, identify_hours, mean_job_size

GPUS, JOB, BLAST = 5184, 4096, 64
MINUTE = 1 / 60
PP = 1e-2
DECK = 0.005 * PP  # the deck prints two digits of a per cent


def fleet(mtbf, mode, identify="max", **hours):
    """Name the deck's one hazard: every GPU fails at one rate."""
    times = dict.fromkeys(("t_id", "t_ckpt", "t_init", "t_failover", "t_repair"), 0.0) | hours
    gpu_hours = charge(mode, identify, **times).gpu_hours(JOB, BLAST)
    return [HazardCharge(components=GPUS, mtbf=mtbf, gpu_hours=gpu_hours)]


def gold_hazard():
    """Give the hazard of the deck's Gold column."""
    return fleet(25_000, "tolerant", t_id=15 * MINUTE, t_failover=5 * MINUTE, t_repair=15 * MINUTE)


def test_gold_column():
    """Gold loses (20 min x 4,096 + 15 min x 64)/25,000 h to downtime and 32/5,184 to spares: 6.1426 %."""
    gold = account(GPUS, 32, gold_hazard())
    assert gold.downtime_loss == pytest.approx((4096 * 20 / 60 + 64 * 15 / 60) / 25_000, rel=1e-14)
    assert gold.downtime_loss == pytest.approx(5.5253 * PP, abs=5e-7)
    assert gold.idle_spare_loss == pytest.approx(0.6173 * PP, abs=5e-7)
    assert gold.goodput_loss == pytest.approx(6.1426 * PP, abs=5e-7)
    assert gold.goodput_loss == pytest.approx(6.14 * PP, abs=DECK)


def test_hyperscaler_column():
    """The hyperscaler has Gold's downtime, no spares and 5 % memory overhead: 10.5253 %."""
    hyperscaler = account(GPUS, 0, gold_hazard(), memory_overhead=0.05)
    assert hyperscaler.performance_overhead == 0.05
    assert hyperscaler.idle_spare_loss == 0
    assert hyperscaler.goodput_loss == pytest.approx(10.5253 * PP, abs=5e-7)


def test_silver_column():
    """Silver loses (half of 60 min + 15 min) x 4,096 + 1 h x 64 per failure at 15,000 h: 20.9067 %."""
    hazards = fleet(15_000, "hot", "rollback", t_id=1.0, t_ckpt=1.0, t_init=0.25, t_repair=1.0)
    silver = account(GPUS, 0, hazards)
    assert silver.goodput_loss == pytest.approx((0.75 * 4096 + 64) / 15_000, rel=1e-14)
    assert silver.goodput_loss == pytest.approx(20.9067 * PP, abs=5e-7)


@pytest.mark.parametrize(("mtbf", "interruptions", "cluster"), [(25_000, 149.2992, 4.8225), (15_000, 248.832, 2.8935)])
def test_interruptions(mtbf, interruptions, cluster):
    """The cluster is interrupted 720 x 5,184/MTBF times a month, once every MTBF/5,184 hours."""
    result = account(GPUS, 0, fleet(mtbf, "hot"))
    assert result.interruptions_per_month == pytest.approx(interruptions, rel=1e-12)
    assert result.cluster_mtbf_h == pytest.approx(cluster, abs=5e-5)


@pytest.mark.parametrize(
    ("variant", "t_id", "t_ckpt", "hours"),
    [
        ("sum", 0.25, 1.0, 0.25 + 1.0 / 2),
        ("max", 0.25, 1.0, 1.0 / 2),
        ("max", 1.0, 1.0, 1.0),
        ("rollback", 1.0, 1.0, 1.0 / 2),
    ],
)
def test_identify_variants(variant, t_id, t_ckpt, hours):
    """The identify term is t_id + t_ckpt/2, the larger of the two, or the rollback alone."""
    assert identify_hours(variant, t_id, t_ckpt) == hours


@pytest.mark.parametrize(
    ("mode", "gpu_hours"),
    [
        ("cold", (1.0 + 0.25 + 2.0) * JOB),
        ("hot", (1.0 + 0.25) * JOB + 2.0 * BLAST),
        ("tolerant", (1.0 + 0.5) * JOB + 2.0 * BLAST),
    ],
)
def test_modes(mode, gpu_hours):
    """Cold makes the job wait for the repair; hot and tolerant leave the repair to the blast radius."""
    times = {"t_id": 1.0, "t_ckpt": 1.0, "t_init": 0.25, "t_failover": 0.5, "t_repair": 2.0}
    assert charge(mode, "max", **times).gpu_hours(JOB, BLAST) == gpu_hours


def test_calculator_reinforcement_learning_case():
    """The calculator's 2,048-GPU case (cold, max, jobs of 64, init 10/10/15 min) loses 0.23/0.23/0.96 %."""
    for mtbf, t_id, t_init, t_repair, published in [
        (25_000, 15, 10, 15, 0.23),
        (15_000, 60, 15, 60, 0.96),
    ]:
        times = {"t_id": t_id, "t_ckpt": 60, "t_init": t_init, "t_failover": 0, "t_repair": t_repair}
        per_failure = charge("cold", "max", **{name: minutes / 60 for name, minutes in times.items()})
        case = account(2048, 0, [HazardCharge(2048, mtbf, per_failure.gpu_hours(64, 64))])
        assert case.goodput_loss == pytest.approx(published * PP, abs=DECK)


def test_calculator_inference_case():
    """The calculator's inference on Silver (gangs of 8, cold, 60 min, 8 h to replace) loses about 0.5 %."""
    times = {"t_id": 1.0, "t_ckpt": 0.0, "t_init": 0.0, "t_failover": 0.0, "t_repair": 8.0}
    per_failure = charge("cold", "max", **times).gpu_hours(mean_job_size([8] * 64, 512), 8)
    silver = account(512, 0, [HazardCharge(512, 15_000, per_failure)])
    assert silver.goodput_loss == pytest.approx((1 + 8) * 8 / 15_000, rel=1e-14)
    assert silver.goodput_loss == pytest.approx(0.5 * PP, abs=0.05 * PP)


def test_hazards_add_by_their_share_of_components():
    """Two hazards add (components/N) x charge/MTBF each, and their failure rates add."""
    hazards = [HazardCharge(5184, 25_000, 1000.0), HazardCharge(72, 8_760, 6400.0)]
    result = account(5184, 0, hazards)
    assert result.downtime_loss == pytest.approx(1000 / 25_000 + 72 / 5184 * 6400 / 8_760, rel=1e-14)
    assert result.cluster_mtbf_h == pytest.approx(1 / (5184 / 25_000 + 72 / 8_760), rel=1e-14)


def test_mean_job_size_is_what_makes_the_linear_formula_right():
    """A failure strikes a job of size s with chance s/N and costs s: the mean charged size is sum(s^2)/N."""
    sizes = [4096, 512, 64, 64]
    struck = sum(size / GPUS * size for size in sizes)
    assert mean_job_size(sizes, GPUS) == pytest.approx(struck, rel=1e-14)
    assert mean_job_size([8] * 64, 512) == 8


def test_the_linear_formula_is_never_clamped():
    """A charge above MTBF gives a loss above 1: the formula counts failures of a job that is already down."""
    assert account(GPUS, 0, [HazardCharge(GPUS, 128.0, 192.0)]).goodput_loss == 1.5
