"""What a change is worth to a renter: closed forms on plain numbers.

Amounts are floats, or float64 arrays with one value per run; every result then has that shape. Money in USD, losses
are fractions of all GPU-hours, a month is 720 h.
"""

from typing import TYPE_CHECKING, TypeVar

from dcsim.units import HOURS_PER_MONTH

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Amount = TypeVar("Amount", float, "NDArray[np.float64]")


def equal_payment(paid: Amount, useful: Amount, other_paid: Amount, other_useful: Amount) -> Amount:
    """Return what may be paid more for an offer until its useful GPU-hour costs what the other's does [USD].

    x with (paid + x) / useful = other_paid / other_useful; below zero where it is dearer already.
    """
    return other_paid * useful / other_useful - paid


def licence_at_equal_hours(rent: float, loss_with: float, loss_without: float) -> float:
    """Return the price of a product on top of the same rent [USD per GPU-hour] at which a useful hour costs the same.

    ``rent`` [USD per GPU-hour], above zero: rent * ((1 - loss_with) / (1 - loss_without) - 1).
    """
    return equal_payment(rent, 1 - loss_with, rent, 1 - loss_without)


def discount_at_equal_hours(rent: float, loss_with: float, loss_without: float) -> float:
    """Return how much lower the rent without a product must be [USD per GPU-hour] for a useful hour to cost the same.

    rent * (1 - (1 - loss_without) / (1 - loss_with)): the product's share of a rent that has it in it.
    """
    return -equal_payment(rent, 1 - loss_without, rent, 1 - loss_with)


def licence_of_lost_work(rent: float, loss_with: float, loss_without: float) -> float:
    """Return the price of a product [USD per GPU-hour] that equals the lost work it saves, at the rent."""
    return rent * (loss_without - loss_with)


def minute_of_stall(gpus: int, job: float, mtbf_h: float, rent: float) -> float:
    """Return what a minute less of every stall saves, lost work at the rent [USD/month].

    Each of ``gpus`` GPUs fails every ``mtbf_h`` and stops a job of ``job`` GPUs: job / (60 MTBF) of the rent.
    """
    return job / (60 * mtbf_h) * gpus * rent * HOURS_PER_MONTH


def interruption(job: float, minutes: float, rent: float) -> float:
    """Return what stopping a job of so many GPUs for so long costs, lost work at the rent [USD]."""
    return job * minutes / 60 * rent
