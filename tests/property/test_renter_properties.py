"""Laws of the renter's table over random offers, and how its keys are read."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.economics import GROUPS, Tco, attribution, lines, monthly, term_lines, total, useful_hour_prices

LOSSES = st.floats(0, 0.99)
GPUS = st.integers(1, 10**6)


def text(unit, most):
    """Write a random quantity with its unit."""
    return st.floats(0, most).map(lambda number: f"{number:.6f} {unit}")


STORAGE = st.fixed_dictionaries({"size": text("GiB", 1e8), "price": text("USD/GiB/mo", 0.1)})
OFFERS = st.fixed_dictionaries(
    {"gpu_hour": st.floats(0.5, 20).map(lambda usd: f"{usd:.4f} USD")},
    optional={
        "term": st.integers(1, 60).map(lambda months: f"{months} mo"),
        "hot_storage": STORAGE,
        "cold_storage": STORAGE,
        "network": text("USD/mo", 1e6),
        "cpu": text("USD/mo", 1e6),
        "support": text("%", 20),
        "setup": text("USD", 1e7)
        | st.fixed_dictionaries({}, optional={"idle": text("h", 1e4), "engineer_months": st.floats(0, 100)}),
        "debugging": text("USD/mo", 1e6),
    },
).map(lambda keys: Tco(**keys))


@given(a=OFFERS, b=OFFERS, gpus=GPUS, loss_a=LOSSES, loss_b=LOSSES)
def test_attribution_sums_to_the_gap(a, b, gpus, loss_a, loss_b):
    """Whatever two offers are compared, the parts sum to the gap to the cent (or 13 digits of it)."""
    parts = attribution(term_lines(a, gpus, loss_a), term_lines(b, gpus, loss_b))
    totals = total(a, gpus, loss_a), total(b, gpus, loss_b)
    assert list(parts) == list(GROUPS)
    assert math.fsum(parts.values()) == pytest.approx(totals[1] - totals[0], abs=max(0.005, 1e-13 * sum(totals)))


@given(tco=OFFERS, gpus=GPUS)
def test_every_line_is_in_exactly_one_group(tco, gpus):
    """The groups of an attribution partition the lines of the table."""
    assert sorted(line for rows in GROUPS.values() for line in rows) == sorted(lines(tco, gpus, 0.0))


@given(tco=OFFERS, gpus=GPUS, losses=st.lists(LOSSES, min_size=1, max_size=6))
def test_arrays_give_what_scalars_give(tco, gpus, losses):
    """One value per replication gives, element by element, exactly what the scalar formulas give."""
    array = np.array(losses)
    for name, usd in lines(tco, gpus, array).items():
        assert usd.tolist() == [lines(tco, gpus, loss)[name] for loss in losses]
    assert total(tco, gpus, array).tolist() == [total(tco, gpus, loss) for loss in losses]
    for name, usd in useful_hour_prices(tco, gpus, array).items():
        assert usd.tolist() == [useful_hour_prices(tco, gpus, loss)[name] for loss in losses]


@given(tco=OFFERS, gpus=GPUS, a=LOSSES, b=LOSSES)
def test_a_month_is_linear_in_the_loss(tco, gpus, a, b):
    """The month at the mean of two losses is the mean of the two months: means may be taken at any point."""
    between = (monthly(tco, gpus, a) + monthly(tco, gpus, b)) / 2
    assert monthly(tco, gpus, (a + b) / 2) == pytest.approx(between, rel=1e-12)


@given(tco=OFFERS, gpus=GPUS, loss=LOSSES)
def test_prices_are_ordered(tco, gpus, loss):
    """Rent <= deck <= physical <= all-in: the deck's price is the first order of the physical one."""
    prices = useful_hour_prices(tco, gpus, loss)
    ordered = [tco.gpu_hour, prices["deck"], prices["physical"], prices["all_in"]]
    assert all(low <= high * (1 + 1e-9) for low, high in pairwise(ordered))


@given(tco=OFFERS, gpus=GPUS, loss=st.floats(1, 5))
def test_nothing_useful_has_no_price(tco, gpus, loss):
    """From a loss of 1 on a useful hour has no price: None, NaN in an array; the bill still adds up."""
    assert useful_hour_prices(tco, gpus, loss)["physical"] is None
    assert useful_hour_prices(tco, gpus, loss)["all_in"] is None
    assert np.isnan(useful_hour_prices(tco, gpus, np.array([loss]))["all_in"]).all()
    assert math.isfinite(total(tco, gpus, loss))


@given(tco=OFFERS)
def test_a_written_table_reads_back(tco):
    """What a table is written as gives the same table again, whichever form its set-up has."""
    assert Tco.model_validate_json(tco.model_dump_json()) == tco


@given(
    key=st.sampled_from([name for name in Tco.model_fields if "storage" not in name]),
    number=st.floats(0, 1e6),
)
def test_a_bare_number_is_one_error(key, number):
    """A number without a unit is exactly one error, at that key, also where a table would be allowed."""
    with pytest.raises(ValidationError) as caught:
        Tco(**{"gpu_hour": "4 USD", key: number})
    paths = [[part for part in error["loc"] if not part.startswith("<")] for error in caught.value.errors()]
    assert paths == [[key]]


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({}, ["gpu_hour"]),
        ({"hot_storage": {"size": "1 TiB"}}, ["hot_storage", "price"]),
        ({"setup": {"idle": 30}}, ["setup", "idle"]),
        ({"setup": {"engineer_months": "2"}}, ["setup", "engineer_months"]),
        ({"setup": {"engineers": 2}}, ["setup", "engineers"]),
        ({"setup": ["1 USD"]}, ["setup"]),
        ({"term": "0 mo"}, ["term"]),
        ({"support": "100 %"}, ["support"]),
        ({"debug": "1 USD/mo"}, ["debug"]),
    ],
)
def test_one_mistake_is_one_error(keys, path):
    """Each wrong table gives one error that names its key."""
    with pytest.raises(ValidationError) as caught:
        Tco(**({"gpu_hour": "4 USD"} if keys else {}), **keys)
    errors = caught.value.errors()
    assert [[part for part in error["loc"] if not part.startswith("<")] for error in errors] == [path]
