"""What an owner reads: the first sentences, tables and pictures, each for the case in which it says something else."""

import pytest

from dcsim.decide import compare, run
from dcsim.decide.estimate import estimate
from dcsim.decide.owner_by_formula import power_table
from dcsim.report.owner_answer import most_cash, owner_card, owner_compared, owner_estimated, owner_sentences
from dcsim.report.owner_page import first_owner_picture, month_table, owner_section, owner_tables, power_page
from dcsim.report.published_tables import estimate_page
from dcsim.report.simulated import comparison_page, run_page
from dcsim.scenario import load, read
from dcsim.scenario.files import plain

NEOCLOUD = "owner/h200-neocloud"
RUNS = 16


def owned(*changes, runs=RUNS):
    return run(NEOCLOUD, replications=runs, set=changes)


@pytest.fixture(scope="module")
def result():
    return owned()


def table(tables, title):
    (found,) = (each for each in tables if each.title.startswith(title))
    return {row.label.strip(): row.texts for row in found.rows}


def test_the_first_screen_says_cash_failures_and_what_to_do(result):
    cash, failures, advice = owner_sentences(result)
    assert cash.startswith("H200 neocloud earns its owner 418 thousand USD of cash a month (29")
    assert "After 34 months the capital of 15.8 million USD is back; month 48 ends 4.3" in cash
    assert failures.startswith("Failures cost 28")
    assert failures.endswith(" thousand USD over 48 months, 1.1 % of the rent.")
    assert advice.startswith(
        "To do: rent out more of the GPUs first. One point of occupancy is worth 295 thousand USD over 48 months, more"
    )
    assert "the 16 spares would bring 818 thousand USD over 48 months, before any SLA credit." in advice
    assert "Costs are covered when 70.8 % of all GPU-hours are invoiced; 84.5 % are." in advice
    assert run_page([result]).answer[:3] == (cash, failures, advice)


def test_failures_that_cost_more_than_a_point_of_occupancy_come_first():
    failures, advice = owner_sentences(owned('owner.repair="8000 USD"', "cluster.spares=0", "jobs.tenant.count=64"))[1:]
    assert "rent not invoiced" in failures
    assert "and repairs" in failures
    assert advice.startswith("To do: make it fail less first. All failures cost as much as 9.")


def test_with_every_gpu_rented_the_rent_is_what_can_still_grow():
    advice = owner_sentences(owned('owner.occupancy="100 %"', runs=2))[-1]
    assert advice.startswith("Every GPU on sale is rented: 1 % more rent is worth ")


def test_capital_that_does_not_come_back_is_missing_and_a_month_may_cost():
    cash = owner_sentences(owned('owner.occupancy="0 %"', runs=2))[0]
    assert cash.startswith("H200 neocloud costs its owner 136 thousand USD of cash a month. In 48 months the capital")
    assert cash.endswith("the capital of 15.8 million USD does not come back: 22.3 million USD are missing.")


def test_failures_may_cost_nothing():
    failures = owner_sentences(owned('owner.repair="0 USD"', 'owner.billed="powered"', runs=2))[1]
    assert failures == (
        "In this scenario failures cost the owner nothing: "
        "no rent is lost, no credit is given, and no repair has a price."
    )


def test_two_offers_are_told_apart_by_what_they_leave():
    other = {"cluster.spares": 0, "jobs.tenant.count": 64, "name": "No spares"}
    offers = [NEOCLOUD, read(NEOCLOUD, set=[f"{key}={value}" for key, value in other.items()])]
    found = compare(offers, replications=RUNS)
    (said,) = owner_compared(found.runs)
    assert said.startswith("No spares leaves its owner most: 5.0")
    assert "against H200 neocloud 4.3" in said
    assert "(less in all runs)" in said
    assert [most_cash(found.runs), most_cash(found.runs[:1])] == [1, -1]
    assert [owner_card("-", each, (), best).best for each, best in zip(found.runs, (0, 1), strict=True)] == [
        "",
        "most cash",
    ]
    page = comparison_page(found)
    assert page.answer[0] == said
    assert table(page.parts, "The owner's cash")["what failures cost"][0].startswith("-0.28")
    picture = first_owner_picture(found.runs)
    assert picture is not None
    assert [name for name, _, _ in picture.chart.series] == ["H200 neocloud", "No spares"]


def test_tables_of_an_owner(result):
    cash, worth, unit = owner_tables([result])
    rows = table([cash], "The owner's cash over 48 months, million USD")
    assert rows["rent invoiced"] == ("26.57",)
    assert rows["servers"] == ("-15.77",)
    assert rows["capital is back after, months"] == ("34.5",)
    assert "network" not in rows  # nothing was spent
    rows = table([worth], "What a change is worth to the owner, USD")
    assert list(rows)[:2] == ["spares rented out too", "one point more rented"]
    assert rows["one point more rented"] == ("295,275",)
    rows = table([unit], "A GPU-hour of the owner")
    assert rows["depreciation, USD/GPU-h"] == ("0.88",)
    assert rows["published cost to an owner of H200, USD/GPU-h"] == ("1.74",)


def test_the_months_of_the_table_end_in_their_sum(result):
    found = month_table("H200", result.cash)
    assert [row.label for row in found.rows] == [*map(str, range(49)), "all"]
    column = found.columns.index("rent invoiced")
    months = sum(row.cells[column].value for row in found.rows[:-1])
    assert months == pytest.approx(found.rows[-1].cells[column].value)
    assert months / 1e6 == pytest.approx(26.57, abs=0.005)


def test_the_section_has_pictures_formulas_and_published_prices(result):
    (section,) = owner_section([result])
    assert [each.title for each in section.parts] == [
        "H200 neocloud: cash from operations by month",
        "The owner's cash over 48 months, million USD",
        "What a change is worth to the owner, USD",
        "A GPU-hour of the owner",
        "Your cost of a GPU-hour among published ones",
    ]
    formulas, inputs = section.more
    assert ("revenue", "rent invoiced: rent_now * billed_gpu_hours") in formulas.items
    assert ("rent", "1.9 USD/GPU-h, from owner.rent") in inputs.items
    bars = section.parts[-1].chart
    assert len(bars.labels) == 10
    assert bars.labels[bars.marked] == "H200 neocloud (this scenario)"


def test_a_card_shows_cash_a_month(result):
    card = owner_card("H200", result, ("3.13 % lost",))
    assert (str(card.figure), card.unit) == ("418", "thousand USD of cash a month")
    assert card.notes[-1] == "3.13 % lost"
    assert owner_card("Gold", run("pretrain-5184/gold", replications=2), ()) is None


def test_own_or_rent_stand_side_by_side_where_both_have_prices():
    priced = ('tco.gpu_hour="2.50 USD"', 'tco.term="48 mo"')
    found = estimate(read(NEOCLOUD, set=priced))
    *_, beside = owner_tables([found])
    assert beside.columns == ("rent", "own")
    assert beside.rows[0].texts == ("2.50", "1.24")
    assert beside.notes[0].endswith("owning is cheaper if the GPUs are needed for more than 50 % of the time.")
    dear = estimate(read(NEOCLOUD, set=('tco.gpu_hour="1 USD"', 'tco.term="48 mo"')))
    assert owner_tables([dear])[-1].notes[0].endswith("renting is cheaper, however much is used.")


def test_the_formula_says_it_first():
    said = owner_estimated(estimate(NEOCLOUD))
    assert said.startswith(
        "H200 neocloud earns its owner 417 thousand USD of cash a month, by formula. After 35 months"
    )
    assert estimate_page([estimate(NEOCLOUD)]).answer == (said,)
    assert owner_estimated(estimate("pretrain-5184/gold")) == ""


def test_a_power_budget_is_told_beside_the_scenario(result):
    page = power_page(power_table(NEOCLOUD, ["power=500 kW,50 MW"]))
    assert page.answer[0].startswith("H200 neocloud: 512 GPUs take 0.8819 MW at the meter, 0.68 MW of them for the IT.")
    (found,) = page.parts
    assert [row.label for row in found.rows] == ["0.5", "0.8819 (now)", "50"]
    assert [row.texts[0] for row in found.rows] == ["288", "512", "29,024"]


def test_capital_that_outlives_the_horizon_is_said_with_what_it_is_sold_for():
    (cash, *_) = owner_tables([estimate(read(NEOCLOUD, set=('owner.life="6 y"', 'owner.residual="20 %"')))])
    said = "H200 neocloud: servers last 72 months and 48 are told; they are then sold for 20 % of their price"
    assert cash.notes[-1].startswith(said)


def test_an_error_larger_than_its_mean_has_its_decimals():
    """Prices nobody knows: capital is back in a part of the runs; a margin is one of means."""
    unknown = {
        "uncertain": [
            {"key": "owner.rent", "value": {"kind": "uniform", "low": "1.5 USD", "high": "2.3 USD"}},
            {"key": "owner.occupancy", "value": {"kind": "uniform", "low": "60 %", "high": "95 %"}},
        ]
    }
    found = run(read(plain(load(NEOCLOUD)) | unknown), replications=32)
    cash, *_ = owner_tables([found])
    rows = table([cash], "The owner's cash")
    mean, _, half = rows["cash after capital"][0].partition(" ± ")
    assert len(mean.partition(".")[2]) == len(half.partition(".")[2]) <= 3
    assert rows["capital is back after, months"][0].startswith("in ")
    assert "% of the runs the capital of 15.8 million USD is back within 48 months." in owner_sentences(found)[0]
    cost, revenue = (found.cash.unit_cost(name) for name in ("cost_hour", "revenue_hour"))
    assert found.cash.unit_cost("gross_margin") == pytest.approx(1 - cost / revenue)
