"""The renter's table against the three published columns (SemiAnalysis, "From Fab to Token", April 2026)."""

import pytest

from dcsim.closed_form import HazardCharge, account, charge
from dcsim.economics import GROUPS, LINES, Tco, Use, attribution
from dcsim.economics.bill import bill

GPUS, JOB, BLAST = 5184, 4096, 64
GPU_MONTH = 5184 * 4 * 720
MINUTE = 1 / 60


def downtime(mtbf, mode, identify="max", **minutes):
    """Charge one hazard of the deck's cluster, times in minutes."""
    times = dict.fromkeys(("t_id", "t_ckpt", "t_init", "t_failover", "t_repair"), 0) | minutes
    per_failure = charge(mode, identify, **{name: value / 60 for name, value in times.items()})
    return [HazardCharge(GPUS, mtbf, per_failure.gpu_hours(JOB, BLAST))]


GOLD_HAZARD = downtime(25_000, "tolerant", t_id=15, t_failover=5, t_repair=15)
LOSS = {
    "gold": account(GPUS, 32, GOLD_HAZARD).goodput_loss,
    "hyperscaler": account(GPUS, 0, GOLD_HAZARD, memory_overhead=0.05).goodput_loss,
    "silver": account(GPUS, 0, downtime(15_000, "hot", "rollback", t_ckpt=60, t_init=15, t_repair=60)).goodput_loss,
}


def storage(hot, cold):
    """Write the two storage keys: 500 TiB hot, 10 PiB cold at these $/GiB-month."""
    return {
        "hot_storage": {"size": "500 TiB", "price": f"{hot} USD/GiB/mo"},
        "cold_storage": {"size": "10 PiB", "price": f"{cold} USD/GiB/mo"},
    }


TIER = {
    "gold": Tco(term="36 mo", gpu_hour="4 USD", **storage("0.035", "0.01")),
    "hyperscaler": Tco(
        term="36 mo",
        gpu_hour="4 USD",
        **storage("0.0725", "0.02"),
        network="19 USD/mo",
        cpu="3318 USD/mo",
        support="3 %",
        setup={"idle": "1 mo", "engineer_months": 2},
        debugging="8333 USD/mo",
    ),
    "silver": Tco(
        term="36 mo",
        gpu_hour="4 USD",
        **storage("0.055", "0.015"),
        setup={"engineer_months": 1},
        debugging="128583 USD/mo",
    ),
}
BILL = {name: bill(TIER[name], GPUS, Use.at(GPUS, 36.0, LOSS[name])) for name in TIER}
TOTAL = {name: found.with_lost_work_usd for name, found in BILL.items()}


def setup_usd(tco, gpus):
    """Give what the bill has for set-up."""
    return bill(tco, gpus, Use.at(gpus, 1.0, 0.0)).lines["setup"]


def monthly(tco, gpus, loss):
    """Give a month with lost work."""
    return bill(tco, gpus, Use.at(gpus, 1.0, loss)).with_lost_work_usd - setup_usd(tco, gpus) * (1 - 1 / tco.months)


@pytest.mark.parametrize(
    ("name", "per_month", "over_term", "relative"),
    [
        ("gold", 15_969_785, 574_912_276, 1.00),
        ("hyperscaler", 17_631_823, 634_745_636, 1.10),
        ("silver", 18_366_224, 661_184_050, 1.15),
    ],
)
def test_published_totals(name, per_month, over_term, relative):
    """A month is within $1 of the deck, 36 months within $20 (rounded inputs), the ratios as printed."""
    assert monthly(TIER[name], GPUS, LOSS[name]) == pytest.approx(per_month, abs=1)
    assert TOTAL[name] == pytest.approx(over_term, abs=20)
    assert TOTAL[name] / TOTAL["gold"] == pytest.approx(relative, abs=0.005)


@pytest.mark.parametrize(
    ("name", "line", "published"),
    [
        ("gold", "gpu", GPU_MONTH),
        ("gold", "hot_storage", 500 * 1024 * 0.035),
        ("gold", "cold_storage", 10 * 1024**2 * 0.01),
        ("gold", "goodput", 917_088),
        ("hyperscaler", "support", 455_403),
        ("hyperscaler", "goodput", 1_571_424),
        ("hyperscaler", "setup", 14_996_587 / 36),
        ("silver", "goodput", 3_121_349),
        ("silver", "setup", 33_333 / 36),
    ],
)
def test_published_lines(name, line, published):
    """Each printed line of the deck comes out within $1 a month."""
    assert BILL[name].monthly[line] == pytest.approx(published, abs=1)


def test_line_order():
    """The lines come in the order of the deck's table."""
    assert list(BILL["gold"].monthly) == [
        "gpu",
        "hot_storage",
        "cold_storage",
        "network",
        "cpu",
        "support",
        "goodput",
        "setup",
        "debugging",
        "licence",
        "burn_in",
    ]


def test_setup_from_its_inputs():
    """One idle month of 5,184 GPUs and two engineer-months cost 14,929,920 + 2 x 33,333.33 once."""
    assert setup_usd(TIER["hyperscaler"], GPUS) == pytest.approx(GPU_MONTH + 2 * 33_333.33, rel=1e-14)
    assert setup_usd(Tco(gpu_hour="4 USD", setup="500 USD"), GPUS) == 500


@pytest.mark.parametrize(("name", "share"), [("hyperscaler", 0.394), ("silver", 0.920)])
def test_goodput_share_of_the_gap(name, share):
    """Goodput is 39.4 % of the hyperscaler's gap to Gold and 92.0 % of Silver's; the parts sum to the gap."""
    parts = attribution(BILL["gold"].lines, BILL[name].lines)
    gap = TOTAL[name] - TOTAL["gold"]
    assert parts["goodput"] / gap == pytest.approx(share, abs=0.0005)
    assert sum(parts.values()) == pytest.approx(gap, abs=0.005)
    assert parts["gpu"] == 0


def test_attribution_of_silver_by_hand():
    """Silver's gap is storage (500 TiB x 0.02, 10 PiB x 0.005), one engineer-month, debugging and goodput."""
    parts = attribution(BILL["gold"].lines, BILL["silver"].lines)
    assert parts["storage"] == pytest.approx((500 * 1024 * 0.02 + 10 * 1024**2 * 0.005) * 36, rel=1e-12)
    assert parts["setup"] == pytest.approx(33_333.33, rel=1e-12)
    assert parts["debugging"] == pytest.approx(128_583 * 36, rel=1e-12)
    assert parts["network_cpu"] == parts["support"] == 0


@pytest.mark.parametrize(
    ("name", "deck", "all_in", "ratio"),
    [("gold", 4.2457, 4.2968, 1.00), ("hyperscaler", 4.4210, 4.8090, 1.12), ("silver", 4.8363, 5.1640, 1.20)],
)
def test_prices_of_a_useful_hour(name, deck, all_in, ratio):
    """A useful GPU-hour costs p(1 + g) by the deck, p/(1 - g) in fact, 4.2968/4.8090/5.1640 all in."""
    prices = BILL[name].usd_per_useful_gpu_hour
    assert prices["deck"] == pytest.approx(deck, abs=5e-5)
    assert prices["physical"] == pytest.approx(4 / (1 - LOSS[name]), rel=1e-14)
    assert prices["all_in"] == pytest.approx(all_in, abs=5e-5)
    gold = BILL["gold"].usd_per_useful_gpu_hour["all_in"]
    assert prices["all_in"] / gold == pytest.approx(ratio, abs=0.005)


def test_gold_physical_price():
    """Gold's physical price of a useful hour is $4.2618."""
    assert BILL["gold"].usd_per_useful_gpu_hour["physical"] == pytest.approx(4.2618, abs=5e-5)


@pytest.mark.parametrize(
    ("mtbf", "mode", "key", "usd"),
    [
        (25_000, "tolerant", "t_failover", 40_769),
        (25_000, "tolerant", "t_id", 40_769),
        (25_000, "hot", "t_init", 40_769),
        (25_000, "hot", "t_ckpt", 40_769 / 2),
        (15_000, "hot", "t_init", 67_948),
    ],
)
def test_value_of_a_minute(mtbf, mode, key, usd):
    """A minute of failover, detection or init is worth j/(60 MTBF) of the rent, of the interval half that."""
    before, after = (account(GPUS, 0, downtime(mtbf, mode, **{key: minutes})) for minutes in (20, 21))
    tier = TIER["gold"]
    worth = monthly(tier, GPUS, after.goodput_loss) - monthly(tier, GPUS, before.goodput_loss)
    halved = 2 if key == "t_ckpt" else 1
    assert worth == pytest.approx(JOB / (60 * mtbf) * GPU_MONTH / halved, rel=1e-8)
    assert worth == pytest.approx(usd, abs=1)


def test_value_of_a_spare_and_of_a_point_of_overhead():
    """An idle spare costs $2,880 a month, one percentage point of overhead $149,299."""
    tier = TIER["gold"]
    base, spare, overhead = (
        monthly(tier, GPUS, account(GPUS, spares, GOLD_HAZARD, memory_overhead=memory).goodput_loss)
        for spares, memory in ((0, 0.0), (1, 0.0), (0, 0.01))
    )
    assert spare - base == pytest.approx(4 * 720, rel=1e-6)
    assert overhead - base == pytest.approx(149_299, abs=1)


def test_break_even_price_of_live_migration():
    """Checkpoint-restart (10.987 %) to Gold's live migration is worth $0.194 a GPU-hour, 0.206 physical."""
    hazard = downtime(25_000, "hot", "rollback", t_ckpt=60, t_init=10, t_repair=15)
    without = account(GPUS, 0, hazard).goodput_loss
    assert without == pytest.approx(0.10987, abs=5e-6)
    assert 4 * (without - LOSS["gold"]) == pytest.approx(0.194, abs=0.0005)
    assert 4 * (1 - (1 - without) / (1 - LOSS["gold"])) == pytest.approx(0.206, abs=0.0005)


def test_a_licence_is_a_line_of_its_own():
    """0.10 USD on every GPU-hour rented: N x 720 x 0.10 a month, paid, not lost work, and support is not charged on it.

    At 0, the default, nothing is charged.
    """
    without = Tco(gpu_hour="4 USD", support="3 %")
    licensed = Tco(gpu_hour="4 USD", support="3 %", licence="0.10 USD")
    a, b = (bill(tco, GPUS, Use.at(GPUS, 36.0, 0.05)) for tco in (without, licensed))
    assert a.lines["licence"] == 0
    assert b.lines["licence"] == pytest.approx(GPUS * 720 * 36 * 0.10, rel=1e-14)
    assert b.paid_usd - a.paid_usd == pytest.approx(b.lines["licence"], rel=1e-9)
    assert b.lines["support"] == a.lines["support"]
    assert b.lines["goodput"] == a.lines["goodput"]
    assert attribution(a.lines, b.lines)["licence"] == b.lines["licence"]


# --- paid, lost, useful -----------------------------------------------------------------------------------------

SIMULATED = {"gold": (541.9, 569.9, 4.2545), "hyperscaler": (578.2, 628.6, 4.7481), "silver": (548.8, 732.0, 6.1970)}


@pytest.mark.parametrize(("name", "loss"), [("gold", 0.0520818), ("hyperscaler", 0.0937747), ("silver", 0.340910)])
def test_paid_is_what_is_invoiced(name, loss):
    """Paid leaves lost work out: 541.9, 578.2 and 548.8 million USD, by hand from the lines of the deck.

    With lost work at the losses that were simulated: 569.9, 628.6 and 732.0; paid per useful hour as published.
    """
    tier = TIER[name]
    storage = tier.hot_storage.size * tier.hot_storage.price + tier.cold_storage.size * tier.cold_storage.price
    rent = 5184 * 4 * 720
    support = tier.support * (rent + storage + tier.network + tier.cpu)
    by_hand = 36 * (rent + storage + tier.network + tier.cpu + support + tier.debugging) + setup_usd(tier, GPUS)
    found = bill(tier, GPUS, Use.at(GPUS, 36.0, loss))
    paid, with_lost, hour = SIMULATED[name]
    assert found.paid_usd == pytest.approx(by_hand, rel=1e-12)
    assert found.paid_usd / 1e6 == pytest.approx(paid, abs=0.05)
    assert found.with_lost_work_usd == pytest.approx(by_hand + loss * 36 * rent, rel=1e-12)
    assert found.with_lost_work_usd / 1e6 == pytest.approx(with_lost, abs=0.05)
    assert found.usd_per_useful_gpu_hour["all_in"] == found.paid_usd / found.useful_gpu_hours
    assert found.usd_per_useful_gpu_hour["all_in"] == pytest.approx(hour, abs=2e-4)


def test_every_line_is_charged_and_has_a_name_and_a_group():
    """A line that is charged is in the bill, has a label and belongs to one part of a gap; only lost work is unpaid."""
    found = BILL["hyperscaler"]
    assert list(found.lines) == [line.name for line in LINES]
    assert {line.group for line in LINES} == set(GROUPS)
    assert all(line.label for line in LINES)
    assert [line.name for line in LINES if not line.paid] == ["goodput"]
    assert found.paid_usd == pytest.approx(sum(found.lines.values()) - found.lines["goodput"], rel=1e-15)


def test_hours_after_the_end_are_paid_but_not_lost():
    """A contract of 3 months, a job that is done after 1: rent runs on, lost work and useful hours do not."""
    tco = Tco(term="3 mo", gpu_hour="2 USD", setup="500 USD")
    found = bill(tco, 8, Use(3.0, 4_000.0, 8 * 720.0 - 4_000.0))
    assert found.paid_usd == 8 * 720 * 3 * 2 + 500
    assert found.lines["goodput"] == (8 * 720 - 4_000) * 2
    assert found.loss == pytest.approx(1 - 4_000 / (8 * 720))
    assert found.usd_per_useful_gpu_hour["all_in"] == found.paid_usd / 4_000
    assert found.monthly["setup"] == pytest.approx(500 / 3)
