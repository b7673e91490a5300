"""The owner's statement: the published stack to its digits, and identities that hold to the cent."""

import numpy as np
import pytest

from dcsim.decide.accounts import MoneyBook
from dcsim.economics.owner import Owner, Site, owner_inputs, owner_lines
from dcsim.economics.statement import Line, Statement
from dcsim.montecarlo import Sample, replicate_many
from dcsim.scenario import read

H200 = {
    "server": "246391 USD",  # deck
    "network": "0 %",
    "storage": "0 %",
    "colocation": "110 USD/kW/mo",  # deck
    "electricity": "0.087 USD/kWh",  # deck
    "power": "10.6 kW",  # calibrated: not printed, 10.2 to 10.6 in public
    "pue": 1.30,  # calibrated: not printed
    "rent": "1.90 USD",  # deck
    "occupancy": "100 %",
}
YEAR = 8_760


def stack(months: int = 48, **changed: object) -> Statement:
    """The published server, all of whose GPU-hours have power, over months of 730 h."""
    owner = Owner.model_validate(H200 | changed)
    site = Site(8, 8, 1, 1, 10.6, None, 1.30, 1.25, 730, months)
    hours = np.array([[0.0, *[730.0] * months]])
    series = dict.fromkeys(("powered_gpu_hours", "in_service_gpu_hours"), 8 * hours)
    lines = [*owner_lines(owner, site), Line("credits", "credits", "USD", "0")]
    inputs = owner_inputs(owner, site, owner.rent or 0)
    return Statement.of(lines, inputs, {"hours": hours, "failures": 0 * hours, **series})


def per_gpu_hour(statement: Statement, name: str) -> float:
    return float(statement.total(name)[0]) / (8 * statement.months * 730)


def test_the_published_stack_comes_out_to_its_digits() -> None:
    """0.88 + 0.35 = 1.23 USD per GPU-hour, against 1.90: a gross margin of 35 %."""
    found = stack()
    depreciation, opex = per_gpu_hour(found, "depreciation"), per_gpu_hour(found, "opex")
    assert depreciation == pytest.approx(246_391 / 8 / (4 * YEAR), rel=1e-12)
    assert (round(depreciation, 4), round(depreciation, 2), round(opex, 2)) == (0.8790, 0.88, 0.35)
    assert round(depreciation + opex, 2) == 1.23
    assert round(100 * per_gpu_hour(found, "accounting_profit") / 1.90) == 35


def test_opex_is_the_published_formula() -> None:
    """Opex per GPU-hour = kW per GPU * (colocation * 12 / 8760 + price of energy * PUE)."""
    assert per_gpu_hour(stack(), "opex") == pytest.approx(10.6 / 8 * (110 * 12 / YEAR + 0.087 * 1.30), rel=1e-12)


def test_power_and_space_are_the_share_of_the_stack_that_the_deck_calls_up_to_a_fifth() -> None:
    """28.5 % of the cost; the deck says "up to 20 %". It does not follow from the stack's own inputs."""
    found = stack()
    opex, depreciation = per_gpu_hour(found, "opex"), per_gpu_hour(found, "depreciation")
    assert opex / (opex + depreciation) == pytest.approx(0.285, abs=0.0005)


def test_cash_of_a_gpu_in_a_year() -> None:
    """13,582 USD at full occupancy, and a capital of 30,799; with opex rounded to 0.35 it is 13,578."""
    found = stack()
    assert found.values["capex"][0, 0] / 8 == pytest.approx(30_799, abs=0.5)
    assert found.values["operating_cash"][0, 1:13].sum() / 8 == pytest.approx(13_582, abs=0.5)
    assert YEAR * (1.90 - round(per_gpu_hour(found, "opex"), 2)) == pytest.approx(13_578, abs=0.5)


def test_the_profit_is_zero_at_the_published_break_even_occupancy() -> None:
    """At 64.7 % rented, costs and revenue of the published stack are the same."""
    assert per_gpu_hour(stack(occupancy="64.7 %"), "accounting_profit") == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize(
    ("changed", "months", "factors"),
    [
        ({}, 48, [1, 1, 1, 1]),
        ({"contract": "3 y", "renewal_cut": "30 %"}, 48, [1, 1, 1, 0.7]),
        ({"contract": "1 y", "price_decay": "25 %"}, 48, [1, 0.75, 0.75**2, 0.75**3]),
    ],
)
def test_a_rent_is_agreed_anew_when_its_contract_ends(
    changed: dict[str, str], months: int, factors: list[float]
) -> None:
    """After three years 30 % less; each year 25 % less."""
    rents = stack(months, **changed).values["rent_now"][0, 1:]
    assert rents == pytest.approx(1.90 * np.repeat(factors, 12), rel=1e-12)


def test_without_a_contract_of_more_than_a_month_the_rent_follows_the_market() -> None:
    """Contracts of a month: 25 % less a year, month by month."""
    rents = stack(contract="730 h", price_decay="25 %").values["rent_now"][0, 1:]
    assert rents == pytest.approx(1.90 * 0.75 ** (np.arange(48) / 12), rel=1e-12)


def test_occupancy_grows_evenly_over_its_ramp() -> None:
    """Over three months to 60 %: 10, 30 and 50 %, the middle of each."""
    shares = stack(ramp="2190 h", occupancy="60 %").values["occupancy_now"][0]
    assert shares[:6] == pytest.approx([0, 0.1, 0.3, 0.5, 0.6, 0.6])


def test_capital_is_written_off_over_its_life_and_no_longer() -> None:
    """Of 60 months, 48 carry it; what the servers are sold for is not written off, and comes back at the end."""
    found = stack(60, residual="10 %")
    assert found.total("depreciation")[0] == pytest.approx(0.9 * 246_391)
    assert found.values["depreciation"][0, 49:].tolist() == [0] * 12
    assert found.values["residual"][0, -1] == pytest.approx(24_639.1)


def test_network_and_storage_are_shares_of_the_whole_capital() -> None:
    """10 and 5 % of servers, network and storage together; 11 USD a watt; 2 % of the servers in stock."""
    found = stack(network="10 %", storage="5 %", facility="11 USD/W", spares_stock="2 %")
    cluster = sum(found.total(name)[0] for name in ("servers", "network_capex", "storage_capex"))
    assert found.total("network_capex")[0] == pytest.approx(0.10 * cluster)
    assert found.total("storage_capex")[0] == pytest.approx(0.05 * cluster)
    assert found.total("facility_capex")[0] == pytest.approx(11 * 10_600)
    assert found.total("stock_capex")[0] == pytest.approx(0.02 * 246_391)


OWNED = {"rack": "3.5e6 USD", "rent": "4 USD", "colocation": "110 USD/kW/mo", "repair": "500 USD", "occupancy": "90 %"}


def simulated(name: str, runs: int = 4, **changed: object) -> tuple[Sample, MoneyBook]:
    owner = Owner.model_validate(OWNED | changed)
    (sample,) = replicate_many([(read(name).model_copy(update={"owner": owner}), None)], runs)
    book = MoneyBook.of(sample)
    assert book is not None
    return sample, book


def test_a_simulated_owner_invoices_what_has_power_and_pays_for_every_failure() -> None:
    """Rent of all GPUs on sale, 500 USD a failure, and the energy of the ledger, run by run."""
    sample, book = simulated("pretrain-5184/gold")
    statement, scenario = book.statement, sample.scenario
    hours, sold = scenario.horizon / 3.6e6, scenario.cluster.gpus - scenario.cluster.spares
    assert statement.total("revenue") == pytest.approx(np.full(4, 4 * 0.9 * sold * hours), rel=1e-12)
    assert statement.total("repairs") == pytest.approx(500.0 * sample.failures)
    assert not statement.total("rent_lost").any()
    assert book.activity.energy_kwh is not None
    assert statement.total("electricity") == pytest.approx(0.087 * book.activity.energy_kwh.sum(axis=1), rel=1e-12)


def test_what_is_invoiced_in_service_and_what_failed_add_up_to_what_has_power() -> None:
    """The rent of what is in service and that of what failed are the rent of what has power."""
    _, paid = simulated("pretrain-5184/silver")
    _, served = simulated("pretrain-5184/silver", billed="in-service")
    both = served.statement.total("revenue") + served.statement.total("rent_lost")
    assert both == pytest.approx(paid.statement.total("revenue"), rel=1e-12)
    assert (served.statement.total("rent_lost") > 0).all()


def test_a_cluster_that_is_energised_late_invoices_and_rents_space_for_what_has_power() -> None:
    """Colocation is in proportion to the GPU-hours with power; rent grows with them."""
    sample, book = simulated("plant/energised-late")
    statement, activity = book.statement, book.activity
    share = activity.series["powered_gpu_hours"] / (sample.scenario.cluster.gpus * 720)
    kw = float(np.asarray(statement.inputs["it_kw"].value))
    assert statement.values["colocation"] == pytest.approx(110 * kw * share, rel=1e-12)
    assert statement.values["revenue"][:, 1].max() < statement.values["revenue"][:, -1].min()


def test_the_months_are_the_term_to_the_cent_and_every_sum_is_the_sum_of_its_lines() -> None:
    """Opex, cash from operations and free cash are the sums of their lines, and of their months."""
    _, book = simulated("pretrain-5184/gold", maintenance="3 %", insurance="1 %", staff="1e5 USD/mo", residual="5 %")
    found = book.statement
    lines = ("colocation", "electricity", "staff", "maintenance", "insurance", "repairs")
    assert sum(found.total(name) for name in lines) == pytest.approx(found.total("opex"), abs=0.005)
    cash = found.total("revenue") - found.total("credits") - found.total("opex")
    assert cash == pytest.approx(found.total("operating_cash"), abs=0.005)
    free = cash - found.total("capex") + found.total("residual")
    assert free == pytest.approx(found.total("free_cash"), abs=0.005)
    assert free == pytest.approx(found.total("cash_so_far"), abs=0.005)
