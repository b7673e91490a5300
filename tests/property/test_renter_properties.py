"""Laws of the renter's table over random offers, and how its keys are read."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.economics import GROUPS, LINES, Tco, Use, attribution
from dcsim.economics.bill import bill, bill_inputs, bill_statement

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
        "licence": text("USD", 5),
    },
).map(lambda keys: Tco(**keys))


def of(tco, gpus, loss):
    """Give the bill of a whole term at a loss."""
    return bill(tco, gpus, Use.at(gpus, tco.months, loss))


@given(a=OFFERS, b=OFFERS, gpus=GPUS, loss_a=LOSSES, loss_b=LOSSES)
def test_attribution_sums_to_the_gap(a, b, gpus, loss_a, loss_b):
    """Whatever two offers are compared, the parts sum to the gap to the cent (or 13 digits of it).

    Without lost work they sum to the gap in what is paid.
    """
    one, other = of(a, gpus, loss_a), of(b, gpus, loss_b)
    parts = attribution(one.lines, other.lines)
    near = max(0.005, 1e-13 * (one.with_lost_work_usd + other.with_lost_work_usd))
    assert list(parts) == list(GROUPS)
    gap = other.with_lost_work_usd - one.with_lost_work_usd
    assert math.fsum(parts.values()) == pytest.approx(gap, abs=near)
    lost = parts.pop("goodput")
    assert lost == other.lines["goodput"] - one.lines["goodput"]
    assert math.fsum(parts.values()) == pytest.approx(other.paid_usd - one.paid_usd, abs=near)


@given(tco=OFFERS, gpus=GPUS, losses=st.lists(LOSSES, min_size=1, max_size=6), months=st.floats(0.01, 60))
def test_arrays_give_what_scalars_give(tco, gpus, losses, months):
    """The statement of all runs has, run by run, exactly what the bill of each says."""
    bills = [bill(tco, gpus, Use.at(gpus, months, loss)) for loss in losses]
    together = bill_statement(bill_inputs(tco, gpus), Use.at(gpus, np.full(len(losses), months), np.array(losses)))
    for line in LINES:
        assert together.total(line.name).tolist() == [each.lines[line.name] for each in bills]
    assert together.total("paid").tolist() == [each.paid_usd for each in bills]
    assert together.total("with_lost_work").tolist() == [each.with_lost_work_usd for each in bills]


@given(tco=OFFERS, gpus=GPUS, a=LOSSES, b=LOSSES)
def test_a_bill_is_linear_in_the_loss(tco, gpus, a, b):
    """The cost at the mean of two losses is the mean of the two costs: means may be taken at any point."""
    between = (of(tco, gpus, a).with_lost_work_usd + of(tco, gpus, b).with_lost_work_usd) / 2
    assert of(tco, gpus, (a + b) / 2).with_lost_work_usd == pytest.approx(between, rel=1e-12)


@given(tco=OFFERS, gpus=GPUS, loss=LOSSES)
def test_what_is_paid_does_not_depend_on_the_loss(tco, gpus, loss):
    """Nobody's invoice grows because work was lost."""
    assert of(tco, gpus, loss).paid_usd == of(tco, gpus, 0.0).paid_usd
    assert sum(1 for line in LINES if not line.paid) == 1


@given(tco=OFFERS, gpus=GPUS, loss=LOSSES)
def test_prices_are_ordered(tco, gpus, loss):
    """Rent <= deck <= physical <= all-in: the deck's price is the first order of the physical one."""
    prices = of(tco, gpus, loss).usd_per_useful_gpu_hour
    ordered = [tco.gpu_hour, prices["deck"], prices["physical"], prices["all_in"]]
    assert all(low <= high * (1 + 1e-9) for low, high in pairwise(ordered))


@given(tco=OFFERS, gpus=GPUS, loss=st.floats(1, 5))
def test_nothing_useful_has_no_price(tco, gpus, loss):
    """From a loss of 1 on a useful hour has no price; the bill still adds up."""
    found = of(tco, gpus, loss)
    assert found.usd_per_useful_gpu_hour["physical"] is None
    assert found.usd_per_useful_gpu_hour["all_in"] is None
    assert math.isfinite(found.with_lost_work_usd)


@given(tco=OFFERS)
def test_a_written_table_reads_back(tco):
    """What a table is written as gives the same table again, whichever form its set-up has."""
    assert Tco.model_validate_json(tco.model_dump_json()) == tco


@given(
    key=st.sampled_from([name for name in Tco.model_fields if "storage" not in name and name != "until"]),
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
