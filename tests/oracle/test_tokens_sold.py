"""The token seller's lines: closed forms of a replica, identities of the statement, and runs that have prices."""

import math
import re

import numpy as np
import pytest

from dcsim.closed_form.inference import usd_per_mtok
from dcsim.decide import compare, run
from dcsim.decide.estimate import estimate
from dcsim.decide.sweep import sweep
from dcsim.economics.statement import Statement
from dcsim.economics.tokens import Tokens, token_inputs, token_lines
from dcsim.report.tokens_page import run_tables, tokens_compared, tokens_section, tokens_sentence
from dcsim.scenario import ScenarioError, load, read
from dcsim.scenario.files import plain

SOLD = {"speed": "735 tok/s", "price": "1.75 USD/Mtok"}
APP = {"price": "20 USD/mo", "tokens": "10 Mtok"}
MONTH = 720 * 3_600_000


def seller(**tokens):
    """The shipped shape: 64 replicas of a node on 512 H200, of which only the tokens differ."""
    document = plain(load("inference-512/silver"))
    document["tco"] = {"term": "36 mo", "gpu_hour": "1.90 USD"}
    return read(document | {"tokens": SOLD | tokens})


def total(statement, name):
    return float(statement.total(name)[0])


# --- the stack, by the lines of the statement -------------------------------------------------------------------------


def at_full_use(**tokens):
    """One GPU for a year, always useful, at 1.90 USD an hour."""
    its = Tokens.model_validate(SOLD | tokens)
    hours = np.array([[0.0, *[720.0] * 12]])
    inputs = token_inputs(its, MONTH, 1.90 * 720)
    return Statement.of(
        token_lines(its, "provider"), inputs, {"hours": hours, "cluster_gpu_hours": hours, "serving_gpu_hours": hours}
    )


def test_the_lines_give_the_rows_of_the_stack():
    """0.72 USD per million tokens, 59.0 % left of 1.75, and 12.5 and 64.1 % of 20 USD for 10 million."""
    its = at_full_use(subscription=APP)
    assert total(its, "token_cost") / total(its, "tokens_served") == pytest.approx(0.71807, abs=5e-6)
    assert total(its, "token_profit") / total(its, "token_revenue") == pytest.approx(0.590, abs=5e-4)
    assert total(its, "third_party_profit") / total(its, "app_revenue") == pytest.approx(0.125, abs=5e-4)
    assert total(its, "first_party_profit") / total(its, "app_revenue") == pytest.approx(0.641, abs=5e-4)


def test_a_price_that_falls_by_a_half_in_a_year_is_the_sum_of_a_geometric_row():
    """Month k sells at 1.75 * 0.5^((k - 1) * 720 / 8760)."""
    its, ratio = at_full_use(decline="50 %"), 0.5 ** (720 / 8760)
    assert its.values["token_price"][0, 1] == 1.75
    month = its.values["tokens_served"][0, 1]
    assert total(its, "token_revenue") == pytest.approx(1.75 * month * (1 - ratio**12) / (1 - ratio), rel=1e-12)


def test_a_seller_pays_an_owner_the_rent_less_credits_for_the_hours_that_he_rents():
    """Where there is no bill; of 65 % of the hours come 65 % of the tokens, so a million costs the same."""
    its = Tokens.model_validate(SOLD)
    hours = np.array([[0.0, 720.0]])
    series = {"hours": hours, "cluster_gpu_hours": hours, "serving_gpu_hours": hours, "on_sale_gpu_hours": hours}
    rented = {"revenue": 1.9 * 0.65 * hours, "credits": 0.1 * hours, "occupancy_now": 0.65 + 0 * hours}
    found = Statement.of(token_lines(its, "owner"), token_inputs(its, MONTH, None), series | rented)
    assert total(found, "token_cost") == pytest.approx((1.9 * 0.65 - 0.1) * 720)
    assert total(found, "tokens_served") == pytest.approx(0.65 * 735 * 3600 * 720 / 1e6)
    assert total(found, "paid_for_lost") == pytest.approx(0.0, abs=1e-9)


def test_the_stack_from_owner_to_app_by_a_run():
    """An H200 that costs 1.23 USD an hour and rents for 1.90 leaves 35 % to its owner, 0.72 USD per million tokens.

    Almost nothing fails here. An owner who sells tokens pays 1.23 / (735 * 3600) * 10^6 = 0.465 USD for a million.
    """
    document = plain(seller(subscription=APP))
    document["hazards"] = [document["hazards"][0] | {"mtbf": "1e8 h", "mtbf_range": None}]
    owned = {
        "server": "246391 USD", "network": "0 %", "storage": "0 %", "colocation": "110 USD/kW/mo", "power": "10.6 kW",
        "pue": 1.3, "rent": "1.90 USD", "occupancy": "100 %", "contract": "10 y",
    }  # fmt: skip
    document |= {"owner": owned, "tco": None, "month": "730 h", "horizon": "4 y"}
    found = run(read(document), replications=2, seed=9)
    its, totals = found.tokens, found.book.statement
    assert its["usd_per_mtok"].shown.mean == pytest.approx(0.718, abs=5e-4)
    assert its["margin"].shown.mean == pytest.approx(0.590, abs=5e-4)
    assert its["first_party_margin"].shown.mean == pytest.approx(0.641, abs=5e-4)
    profit, revenue = totals.total("accounting_profit"), totals.total("revenue")
    assert profit / revenue == pytest.approx(0.35, abs=0.01)
    assert its["owner_margin"].shown.mean == pytest.approx(1 - 0.465 / 1.75, abs=5e-3)
    assert estimate(read(document)).tokens.figures["usd_per_mtok"] == pytest.approx(0.718, abs=5e-4)


# --- by formula -------------------------------------------------------------------------------------------------------


def test_the_estimate_charges_a_failure_to_the_replica_that_it_strikes():
    """Silver of the shipped shape: (1 h + 8 h) * 8 GPUs for each of 512 / 15,000 failures an hour is 0.48 %."""
    its = estimate(seller()).tokens
    assert its.replica_loss == pytest.approx(9 * 8 / 15_000)
    assert its.usd_per_mtok["rent"] == pytest.approx(0.7181, abs=5e-5)
    assert its.usd_per_mtok["paid"] == pytest.approx(usd_per_mtok(1.90, 735.0, 9 * 8 / 15_000, 1.0), rel=1e-12)


def test_the_estimate_shows_what_a_formula_for_training_would_charge():
    """Charged to one job of all 512 GPUs, detection stops 64 times as many, and the repair as many as before."""
    its = estimate(seller()).tokens
    assert its.training_loss == pytest.approx((1 * 512 + 8 * 8) / 15_000)
    dear = usd_per_mtok(1.90, 735.0, its.training_loss, 1.0)
    assert its.usd_per_mtok["training"] == pytest.approx(dear, rel=1e-12)


def test_idle_spares_are_paid_for_and_are_no_loss_of_a_replica():
    """32 spares of 544 GPUs: a replica loses what it lost, and a million tokens cost 544 / 512 of what they did."""
    document = plain(seller())
    spared = read(document | {"cluster": document["cluster"] | {"gpus": 544, "spares": 32}})
    its, before = estimate(spared).tokens, estimate(seller()).tokens
    assert its.replica_loss == pytest.approx(before.replica_loss)
    assert its.usd_per_mtok["paid"] == pytest.approx(before.usd_per_mtok["paid"] * 544 / 512)


def test_a_formula_that_leaves_nothing_gives_no_price():
    """A loss of 100 % or more is no cost of a token."""
    document = plain(seller())
    document["hazards"][0] |= {"mtbf": "400 h", "mtbf_range": None}
    its = estimate(read(document)).tokens
    assert its.training_loss > 1
    assert its.usd_per_mtok["training"] is None
    assert its.usd_per_mtok["paid"] is not None


# --- simulated --------------------------------------------------------------------------------------------------------


def test_simulated_tokens_agree_with_the_closed_form_of_a_replica():
    """A replica is up 1 / (1 + rate * stall) of the time: it waits 1 h + 8 h after each of 8 / 15,000 failures an hour.

    While it waits none of its GPUs fails again: a node that is out of service cannot fail.
    """
    found = run(seller(), replications=64, seed=20261128).tokens["usd_per_mtok"].shown
    exact = usd_per_mtok(1.90, 735.0, 1 - 1 / (1 + 8 / 15_000 * 9), 1.0)
    assert abs(found.mean - exact) < 4 * found.se
    assert found.se < 1e-4


def test_the_parts_of_what_tokens_cost_sum_to_it_in_every_run_and_month():
    """Computing, no requests, and failures: to the cent; the last is above zero where something failed."""
    its = run(seller(utilisation="65 %"), replications=8, seed=7).book.statement
    parts = sum(its.values[name] for name in ("paid_for_tokens", "paid_for_unused", "paid_for_lost"))
    assert np.abs(parts - its.values["token_cost"]).max() < 0.005
    assert (its.total("paid_for_lost") > 0).all()
    assert np.abs(its.values["paid_for_unused"] * 65 / 35 - its.values["paid_for_tokens"]).max() < 0.005


def test_the_seller_pays_what_the_renter_is_billed():
    """Over a horizon as long as the term, every run's months sum to the bill, set-up included."""
    document = plain(seller())
    document["tco"] |= {"setup": {"engineer_months": 2}, "support": "3 %", "debugging": "8333 USD/mo"}
    document |= {"horizon": "36 mo"}
    found = run(read(document), replications=4, seed=1)
    assert np.abs(found.book.statement.total("token_cost") - found.money.paid).max() < 0.005


def test_tokens_of_some_jobs_are_those_of_their_useful_hours():
    """A second job of half the GPUs that sells nothing halves the tokens, and its GPUs cost all the same."""
    document = plain(seller())
    document["jobs"] = [
        document["jobs"][0] | {"count": 32},
        document["jobs"][0] | {"count": 32, "name": "research"},
    ]
    document["tokens"] = SOLD | {"jobs": ["replica"]}
    found = run(read(document), replications=8, seed=3)
    its = found.book.statement
    useful = found.sample.gpu_ms[:, 0, 0] / 3_600_000
    assert its.total("tokens_served") == pytest.approx(useful * 735 * 3600 / 1e6, rel=1e-12)
    assert found.tokens["usd_per_mtok"].shown.mean == pytest.approx(2 * 0.72, rel=0.01)


def test_runs_whose_prices_differ_are_billed_at_their_own():
    """The rent is drawn for every two runs: what a million tokens cost moves with it, what they sell for does not."""
    document = plain(seller())
    document["uncertain"] = [{"key": "tco.gpu_hour", "value": {"kind": "uniform", "low": "1 USD", "high": "3 USD"}}]
    found = run(read(document), replications=32, seed=5)
    cost, sold = found.tokens["usd_per_mtok"], found.tokens["price_usd_per_mtok"]
    assert np.corrcoef(cost.values, found.money.paid)[0, 1] > 0.9999
    assert np.ptp(cost.values) > 0.3
    assert np.ptp(sold.values) < 1e-12
    drawn = run(read(document | {"uncertain": [document["uncertain"][0] | {
        "key": "tokens.speed", "value": {"kind": "uniform", "low": "500 tok/s", "high": "900 tok/s"}}]}),
        replications=32, seed=5)  # fmt: skip
    assert np.ptp(drawn.tokens["usd_per_mtok"].values) > 0.2


def test_half_the_requests_make_tokens_twice_as_dear_and_change_no_run():
    """Utilisation is read by bills alone: both scenarios share their runs."""
    full, half = (run(seller(utilisation=share), replications=8, seed=2) for share in ("100 %", "50 %"))
    assert (full.sample.gpu_ms == half.sample.gpu_ms).all()
    assert math.isclose(
        2 * full.tokens["usd_per_mtok"].shown.mean, half.tokens["usd_per_mtok"].shown.mean, rel_tol=1e-12
    )


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(**changes):
    document = plain(seller())
    with pytest.raises(ScenarioError) as error:
        read(document | changes)
    return str(error.value)


def test_tokens_without_a_price_of_the_gpus_are_refused():
    """Somebody pays for the GPUs."""
    assert "tokens: found without [tco] and [owner]" in refused(tco=None)


def test_tokens_of_a_job_that_is_not_there_or_that_ends_are_refused():
    """A spelling has a nearest right one; work that ends is no service."""
    assert 'did you mean "replica"?' in refused(tokens=SOLD | {"jobs": ["replca"]})
    jobs = [plain(seller())["jobs"][0] | {"work": "100 GPU-h"}]
    assert 'found job "replica" with work' in refused(jobs=jobs)


def test_no_use_at_all_is_refused():
    """Nothing would be sold."""
    assert "must be above 0" in refused(tokens=SOLD | {"utilisation": "0 %"})


def test_a_sweep_has_figures_of_tokens_though_it_keeps_no_months_by_itself():
    """Half the use, twice the cost; both settings share their runs."""
    found = sweep(
        "tokens/node-replicas", {"tokens.utilisation": ["40 %", "80 %"]}, metric="usd_per_mtok", replications=4
    )
    low, high = (point.figures["usd_per_mtok"].mean for point in found.points)
    assert low == pytest.approx(2 * high)
    assert found.points[1].figures["token_margin"].mean == pytest.approx(1 - high / 1.75)


def test_the_worst_runs_and_what_moves_them_are_told():
    """Of 40 runs the worst two count; a price of tokens that is drawn moves the margin, chance hardly does."""
    document = plain(load("tokens/node-replicas"))
    price = {"kind": "uniform", "low": "1.50 USD/Mtok", "high": "2 USD/Mtok"}
    document["uncertain"] = [{"key": "tokens.price", "value": price}]
    found = run(read(document), replications=40, seed=3)
    margins = np.sort(found.tokens["margin"].values)
    assert found.tokens.risk("margin").shortfall == pytest.approx(margins[:2].mean())
    costs = np.sort(found.tokens["usd_per_mtok"].values)
    assert found.tokens.risk("usd_per_mtok").shortfall == pytest.approx(costs[-2:].mean())
    said = re.search(r"Uncertain inputs move that by ± ([\d.]+) points, chance by ± ([\d.]+\d)", tokens_sentence(found))
    drawn = 100 * np.std(1 - 1.1077 / np.linspace(1.5, 2, 1001))
    assert float(said[1]) == pytest.approx(drawn, rel=0.3)  # 20 draws
    assert float(said[2]) < 0.05
    assert found.to_json()["scenarios"][0]["tokens"]["margin"]["expected_shortfall"] == pytest.approx(
        margins[:2].mean()
    )


def test_the_table_of_runs_has_every_line_of_the_statement():
    """One column a line, whose months sum to it, with its unit and formula; lines that nobody brings are left out."""
    found = run("tokens/factory", replications=3)
    table, its = found.to_arrow(), found.book.statement
    for name in ("token_profit", "operating_cash", "credits"):
        assert table[name].to_pylist() == (pytest.approx(its.values[name].sum(axis=1).tolist(), rel=1e-12))
    assert b"token_revenue - token_cost" in table.schema.field("token_profit").metadata[b"description"]
    assert "debt_service" not in table.column_names
    assert "token_price" not in table.column_names
    assert "token_profit" not in run("inference-512/gold", replications=2).to_arrow().column_names


# --- offers side by side ----------------------------------------------------------------------------------------------


def test_two_offers_are_told_apart_by_their_paired_difference():
    """Eight nodes a replica cost 1.9 % more per million tokens, surer than either figure: failures are common."""
    both = compare(["tokens/node-replicas", "tokens/wide-replicas"], replications=16, bridges=False)
    (pair,) = both.pairs
    a, b = (each.tokens["usd_per_mtok"].shown for each in both.runs)
    assert pair.mtok_difference.mean == pytest.approx(b.mean - a.mean)
    assert pair.mtok_difference.mean > 10 * pair.mtok_difference.half_width
    said = tokens_compared(both.runs)
    assert "1.11 USD at One node, against 1.13 at Eight nodes (1.9 % more)" in said
    assert both.to_json()["comparisons"][0]["usd_per_mtok_difference"]["mean"] == pair.mtok_difference.mean


def test_offers_that_no_run_tells_apart_are_not_ranked():
    """The same offer with other random numbers of its hazard: what is between them is chance."""
    short = plain(load("tokens/wide-replicas")) | {"horizon": "2 mo", "seed": 20261128}
    other = short | {"hazards": [short["hazards"][0] | {"name": "gpus"}]}
    both = compare([read(short), read(other)], replications=8, bridges=False)
    assert "(no clear difference)" in tokens_compared(both.runs)


def test_scenarios_without_tokens_say_nothing_of_them():
    """Neither pages nor documents have a word of tokens."""
    found = run("inference-512/gold", replications=2)
    assert "tokens" not in found.to_json()["scenarios"][0]
    assert "tokens" not in found.to_json()["scenarios"][0]["estimate"]
    assert run_tables([found]) == ()
    assert tokens_sentence(found) == ""
    assert found.book is None


def test_the_page_says_what_is_left_and_where_the_price_goes():
    """The sentence has cost, price and margin; the picture's parts sum to the price of a million tokens."""
    found = run("tokens/wide-replicas", replications=8)
    assert "They sell for 1.75 USD: 35.5 % is left" in tokens_sentence(found)
    (section,) = tokens_section([found])
    (picture, table) = section.parts
    assert sum(values[0] for _, values in picture.chart.series) == pytest.approx(1.75)
    assert [row.label for row in table.rows if row.strong] == ["cost of a million tokens, USD", "left of the price, %"]
