"""What the first lines of a report claim, and no more: sameness, prices, luck, replicas, digits and names."""

import pytest

from dcsim.decide import compare, explain, run
from dcsim.decide.ablation import BOTH, ablated_scenarios
from dcsim.decide.bridge import Bridge, Step
from dcsim.decide.estimate import estimate
from dcsim.decide.verdict import verdict
from dcsim.montecarlo import Summary, summarise
from dcsim.report.answer import (
    answer_table,
    comparison_sentences,
    loss_sentence,
    paid_sentence,
    run_sentences,
    verdict_sentence,
)
from dcsim.report.figures import loss, span
from dcsim.report.full_report import _cards
from dcsim.report.jobs import serves
from dcsim.report.published_tables import described, theory_table
from dcsim.report.sections import AWAY, beside
from dcsim.report.simulated import explain_page, reasons, run_page, simulated_table
from dcsim.report.uncertainty import price
from dcsim.scenario import load
from tests.unit.results import lost

GOLD = load("pretrain-5184/gold", name="Gold")
DEAR = load("pretrain-5184/gold", name="Dear", **{"tco.gpu_hour": "5 USD"})
OTHER = load("pretrain-5184/gold", name="Other")
REPLICAS = load("inference-512/silver")
RESEARCH = load("rl-2048/silver")
BRIEF = {"replications": 4, "workers": 1}


def told_of(*runs):
    """Give the verdict's sentence."""
    return verdict_sentence(verdict(runs), runs)


@pytest.mark.parametrize("priced", [True, False])
def test_losses_of_jobs_that_end_and_of_others_are_unlike(priced):
    """One sentence says so, with a price or without; nothing is said where all end, or none does."""
    ends = load("papers/daly", name="Ends", **({"tco.gpu_hour": "4 USD"} if priced else {}))
    goes_on = GOLD if priced else GOLD.model_copy(update={"tco": None})
    told = "These losses are over unlike times: of Ends until the last job is done, of Gold over the whole horizon."
    both = [lost(ends, 0.1, 0.11), lost(goes_on, 0.2, 0.21)]
    assert comparison_sentences(both).count(told) == 1
    assert comparison_sentences(both[::-1]).count(told) == 1
    for alike in ([both[0], both[0]], [both[1], both[1]]):
        assert "unlike times" not in " ".join(comparison_sentences(alike))


def test_the_cheaper_one_where_luck_decides():
    """Losses that differ: how much more the other costs, in per cent of the least price, and in how many runs."""
    told = told_of(lost(OTHER, 0.3, 0.31, 0.1), lost(GOLD, 0.1, 0.11, 0.12))
    assert told == "No clear difference in 3 runs: Gold 4.53 USD per useful GPU-hour, Other 5.28 USD."
    told = told_of(lost(OTHER, 0.3, 0.31, 0.32), lost(GOLD, 0.1, 0.11, 0.12))
    assert told == "Gold is cheapest: 4.53 USD per useful GPU-hour, against 5.84 at Other (29 % more), in all 3 runs."


def test_a_tie_is_no_win():
    """A run in which both cost the same is not counted for the cheaper one."""
    told = told_of(lost(GOLD, *[0.10, 0.11] * 10), lost(OTHER, *[0.30, 0.32] * 9, 0.31, 0.11))
    assert told.endswith(", in 19 of 20 runs.")


def test_what_price_lists_decide_is_not_told_as_luck():
    """Equal losses: the gap is the price alone, and no share of the runs makes it surer."""
    told = told_of(lost(DEAR, 0.1, 0.11), lost(GOLD, 0.1, 0.11))
    assert told.endswith("at Dear (25 % more), by price alone.")
    assert " runs" not in told


def test_prices_within_one_per_cent_are_the_same():
    """A gap below 1 % is no ranking, however certain; what is dearer is told from the cheapest."""
    told = told_of(lost(GOLD, 0.1, 0.101), lost(OTHER, 0.102, 0.103), lost(DEAR, 0.1, 0.101))
    assert told == (
        "Gold and Other cost the same within 1 %: 4.48 and 4.49 USD per useful GPU-hour. "
        "Dearer: 5.60 at Dear (25 % more), by price alone."
    )
    assert "No clear difference" in told_of(lost(GOLD, 0.1, 0.2), lost(OTHER, 0.2, 0.101))  # the interval is wider


def test_one_run_is_no_certainty():
    """One run is not "1 of 1 runs"."""
    assert told_of(lost(GOLD, 0.1), lost(OTHER, 0.3)).endswith("at Other (29 % more), in the one run simulated.")


def test_replicas_are_told_in_hours_out_of_service():
    """Where every job is stateless the report says how long a replica is out: 0.48 % is 42 hours a year."""
    found = lost(REPLICAS, 0.0047, 0.0049)
    out = "replica is out of service 0.48 % of the time (42 h a year)"
    assert comparison_sentences([found, found])[-1] == f"A {out} at Silver-tier and Silver-tier."
    assert run_page([found]).answer[0].startswith(f"Silver-tier: a {out}. The cluster loses 0.48 ± ")
    assert serves([found])
    assert not serves([lost(GOLD, 0.1)])
    assert "out of service" not in run_page([lost(GOLD, 0.1)]).answer[0]


def test_the_first_screen_says_what_is_paid_and_not_what_is_lost():
    """Silver pays 6.9 million more than Gold and 29.4 million less than the hyperscaler, whatever it loses."""
    tiers = [load(f"pretrain-5184/{tier}") for tier in ("gold", "hyperscaler", "silver")]
    runs = [lost(tier, share, share) for tier, share in zip(tiers, (0.0521, 0.0938, 0.3409), strict=True)]
    sentences = comparison_sentences(runs)
    assert sentences[1] == "Paid over 36 months: Gold-tier 541.9, Hyperscaler 578.2 and Silver-tier 548.8 million USD."
    assert "732" not in " ".join(sentences)
    assert [row.texts[1] for row in answer_table(runs).rows] == ["541.9", "578.2", "548.8"]


def test_two_figures_of_one_screen_never_contradict_one_another():
    """Prices have their decimals, gaps are per cent of the least price, so no difference is printed beside them."""
    runs = [lost(GOLD, 0.0521, 0.0521), lost(OTHER, 0.1511, 0.1511)]  # 4.2545 and 4.7507: a gap of 0.4962
    told = told_of(*runs)
    assert "4.25 USD" in told
    assert "4.75 at Other" in told
    assert "(12 % more)" in told
    assert "0.50" not in told
    assert "0.49" not in told


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0521, "5.21"), (0.00048, "0.048"), (0.000161, "0.016"), (1.6e-7, "0.00002"), (0.0, "0.00"), (None, "-")],
)
def test_a_loss_has_two_significant_digits(fraction, expected):
    """Two decimals, and as many more as two significant digits take, up to five."""
    assert str(loss(fraction)) == expected


def test_steps_of_jobs_that_end_are_of_the_horizon():
    """The last step counts idle hours after the last job's end, which ``run`` leaves out; others need no such word."""
    told = "Jobs end here: the simulation's loss is of the horizon, after the last job's end included."
    assert explain_page(explain(load("papers/daly"), replications=1, workers=1)).answer[1:] == (told,)
    steps = (Step("formula", "", 0.06, 0.0, None), Step("simulated", "", 0.05, -1.0, None))
    assert len(explain_page(Bridge(GOLD, 1, steps)).answer) == 1


def test_ends_are_told_apart():
    """A span has the decimals that tell its ends apart; ends that none does are one number."""
    assert str(span(0.01587, 0.01634, least=3)) == "0.0159 to 0.0163"
    assert str(span(5.11, 5.33)) == "5.11 to 5.33"
    assert str(span(1.981, 1.984, most=2)) == "1.98"
    assert str(span(2.0, 2.0)) == "2.00"


def test_a_price_is_no_finer_than_a_cent():
    """The headline's interval is never narrower than the run's, and never finer than its last decimal."""
    fine = Summary(4.2545, 0.0003, (4.2539, 4.2551), 4.2, 4.25, 4.3)
    assert (str(price(fine)), str(price(fine, most=4))) == ("4.25 ± 0.01", "4.2545 ± 0.0006")
    wide = summarise([4.0, 4.5, 5.0])
    assert str(price(wide)) == f"4.50 ± {wide.half_width:.2f}"
    assert str(price(fine.without_error())) == "4.25"
    cells = answer_table([lost(GOLD, 0.1, 0.1001)]).rows[0].texts
    assert cells[0] == "4.48 ± 0.01"  # (14,929,920 + 122,778) USD / (3,732,480 GPU-h * 0.9)


def test_formula_and_simulation_that_agree_have_no_reasons():
    """Steps that cancel are left to `explain`: where the ends agree within 0.05 pp, one line says so."""
    steps = [("formula", 0.0048, 0.0), ("spares", 0.0005, -0.43), ("waits", 0.0047, 0.42)]
    bridge = Bridge(GOLD, 2, tuple(Step(name, f"{name}!", level, pp, None) for name, level, pp in steps))
    assert reasons(bridge).items == (("within 0.05 points", "formula and simulation agree"),)
    apart = Bridge(GOLD, 2, (*bridge.steps, Step("more", "more!", 0.0147, 1.0, None)))
    assert [text for _, text in reasons(apart).items] == ["spares!", "waits!", "more!"]


def test_one_effect_has_one_name():
    """The formula charges the longer of detection and rollback, the simulation both, whichever was the longer."""
    slow = {name: text for name, text, _ in ablated_scenarios(RESEARCH)}
    quick = {name: text for name, text, _ in ablated_scenarios(load("rl-2048/gold"))}
    assert slow["simulated recovery"].startswith(f"{BOTH}; a failure during recovery")
    assert quick["detection"] == BOTH
    assert quick["simulated recovery"].startswith("the work since the last checkpoint is lost")
    deck = {name: text for name, text, _ in ablated_scenarios(load("pretrain-5184/silver"))}  # identify = "rollback"
    assert deck["detection"] == "the job hangs until the failure is identified"
    assert deck["simulated recovery"].startswith("the work since the last checkpoint is lost")


def test_jobs_of_one_priority_take_nothing_from_one_another():
    """Only where priorities differ does a job take hardware from others."""
    texts = {name: text for name, text, _ in ablated_scenarios(REPLICAS)}
    assert texts["finite spares"] == "free GPUs: 0; jobs wait for a repair"
    texts = {name: text for name, text, _ in ablated_scenarios(load("pretrain-5184/silver"))}
    assert texts["finite spares"] == "free GPUs: 0; jobs wait, or take hardware from jobs of lower priority"


def test_theory_says_what_it_leaves_out_of_a_cold_spare():
    """The wait for the repair stands in a row of its own, and the loss says that it is without."""
    table = theory_table([estimate(GOLD), estimate(REPLICAS)])
    rows = {row.label.strip(): row.texts for row in table.rows}
    assert table.title == "First job by renewal theory (a repair costs no wait)"
    assert rows["and the wait for its repair, min"] == ("-", "480.00")
    assert "lost by one gang without that wait, %" in rows
    assert table.notes[0].startswith('Silver-tier: spare = "cold", so the job waits')
    plain = theory_table([estimate(GOLD)])
    assert plain.title == "First job by renewal theory (never short of hardware)"
    assert (plain.notes, len(plain.rows)) == ((), 3)


def test_the_description_stands_under_the_answer():
    """Tiers of several cases are called alike: what they are is said, where the scenario says it."""
    ((name, text),) = described([GOLD, GOLD.model_copy(update={"description": ""})])[0].items
    assert (name, text) == ("Gold", "4,096-GPU pre-training with live migration on 5,184 GB300, 32 spares")
    assert described([GOLD.model_copy(update={"description": " "})]) == ()
    assert run_page([lost(GOLD, 0.1)]).parts[1].title == "Scenarios"


def test_states_that_take_next_to_nothing_are_one_row():
    """Shares of states sum to 100 %, small ones in one row that a note names; a state of 0.1 % stands alone."""
    table = simulated_table([run(load("rl-2048/gold"), **BRIEF)])
    shares = {row.label: float(row.texts[0]) for row in table.rows if row.label.endswith("% of GPU-hours")}
    assert sum(shares.values()) == pytest.approx(100, abs=0.05)
    assert "other states, % of GPU-hours" in shares
    assert not {"other idle GPUs, % of GPU-hours", "repair, % of GPU-hours"} & shares.keys()
    assert "waiting for hardware: healthy GPUs of a job that waits for others of its GPUs." in table.notes
    assert "other states: repair and other idle GPUs." in table.notes
    silver = simulated_table([run(load("pretrain-5184/silver", horizon="3 mo"), **BRIEF)])
    assert {"waiting for hardware, % of GPU-hours", "repair, % of GPU-hours"} <= {
        row.label for row in silver.rows
    }  # below 5 % of 34 %


def test_one_figure_is_one_row():
    """Where jobs fill the cluster, what they lose is what the cluster loses; where they do not, both are shown."""
    full = lost(REPLICAS, 0.004, 0.006)
    part = run(load("inference-512/silver", horizon="6 mo", **{"cluster.gpus": 1024}), **BRIEF)
    assert not [
        row.label for row in simulated_table([full]).rows if "jobs asked" in row.label or "replica" in row.label
    ]
    labels = [row.label for row in simulated_table([part]).rows]
    assert "loss of what jobs asked for, %" in labels
    assert "  replica, per replica, %" in labels


def test_intervals_of_quantiles_that_no_run_has_are_one_row():
    """P5 and P95 need 72 runs: below, one row says so for both."""
    labels = [row.label.strip() for row in simulated_table([lost(GOLD, 0.1, 0.2, 0.3)]).rows]
    assert "95 % interval of both, %" in labels
    assert "95 % interval of P5, %" not in labels
    labels = [row.label.strip() for row in simulated_table([lost(GOLD, *[0.1, 0.2] * 50)]).rows]
    assert {"95 % interval of P5, %", "95 % interval of P95, %"} <= set(labels)


def test_what_is_the_same_is_said_of_a_comparison_too():
    """The published finding of the inference case: two tiers cost the same, and no run is counted for it."""
    names = [load(f"inference-512/{tier}", horizon="6 mo") for tier in ("gold", "silver")]
    told = told_of(*compare(names, bridges=False, **BRIEF).runs)
    assert told.startswith("Gold-tier and Silver-tier cost the same within 1 %: 1.98 and 1.99 USD")


def test_gpus_without_power_are_not_told_as_failed():
    """What is lost for want of power is named, with the jobs' GPUs that wait for it; failures alone are not."""
    late = run("plant/energised-late", replications=8, workers=1)
    unpowered, waiting = (100 * late.shares[state] for state in ("unpowered", "wait"))
    told = f", {unpowered:.2f} of them without power yet and {waiting:.2f} waiting for other GPUs of their jobs, "
    assert told in loss_sentence(late)
    on_time = loss_sentence(run("plant/energised-on-time", replications=2, workers=1, set=["horizon=2 mo"]))
    assert "power" not in on_time
    assert " of them as idle spares, " in on_time


def test_idle_spares_are_not_told_as_work_that_credits_should_pay():
    """Of a rack of which 64 of 72 GPUs are sold, the others are set aside: nothing of them was ever work."""
    found = run("sla/64-of-72", replications=2, workers=1, set=["horizon=2 mo"])
    said = " ".join(run_sentences(found))
    assert f" % of the GPU-hours ({100 * found.shares['spare']:.2f} as idle spares) or " in said
    assert "as idle spares) or" not in " ".join(run_sentences(run("sla/node", replications=2, workers=1)))


def test_what_a_renter_pays_is_not_told_as_the_owner_s():
    """Where the scenario has an owner, it is said who pays; elsewhere the reader does."""
    owned = run("plant/bridge-none", replications=2, workers=1, set=["horizon=4 mo"])
    assert paid_sentence([owned]).startswith("Paid by a renter of all GPUs over ")
    assert paid_sentence([run(GOLD, replications=2, workers=1)]).startswith("Paid over ")


def test_the_report_counts_gpus_without_power_in_a_row_of_their_own():
    """Downtime, rollback and repair leave them out; the card says how much of what is lost they are, and who pays."""
    late = run("plant/energised-late", replications=8, workers=1)
    rows = {row.label: row.texts[1] for part in beside([late]).parts for row in part.rows}
    assert rows["no power yet, %"] == f"{100 * late.shares['unpowered']:.2f}"
    away = sum(late.shares[state] for state in AWAY)
    assert rows["downtime, rollback, repair, %"] == f"{100 * away:.2f}"
    assert "unpowered" not in AWAY
    (card,) = _cards([late])
    assert any(" lost, " in note and "without power yet and " in note for note in card.notes)
    (owned,) = _cards([run("plant/bridge-none", replications=2, workers=1, set=["horizon=4 mo"])])
    assert any(note.startswith("a renter of all GPUs pays ") for note in owned.notes)
