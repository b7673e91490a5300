"""What a renter pays: the ClusterMAX TCO table.

Source: deck (SemiAnalysis, "From Fab to Token", April 2026). Money in USD, a month is 720 h, sizes in GiB.
``loss`` is a fraction of all GPU-hours: a float, or one value per replication as a float64 array of any
shape, and every result then has that shape.
"""

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Tag

from dcsim.registry import one_of, tag
from dcsim.units import (
    HOURS_PER_MONTH,
    MS_PER_MONTH,
    Duration,
    Fraction,
    Money,
    MoneyPerMonth,
    PositiveDuration,
    PricePerGiBMonth,
    PricePerGpuHour,
    PricePerKwh,
    SizeGiB,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Loss = TypeVar("Loss", float, "NDArray[np.float64]")


class Storage(BaseModel):
    """An amount of storage and its price."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: SizeGiB = Field(description="provisioned size [GiB] (deck: 500 TiB hot, 10 PiB cold)")
    price: PricePerGiBMonth = Field(description="price [USD per GiB and month] (deck: 0.01 to 0.0725)")

    @property
    def monthly_usd(self) -> float:
        """Size times price [USD/month]."""
        return self.size * self.price


NO_STORAGE = Storage.model_construct(size=0.0, price=0.0)


class Onboarding(BaseModel):
    """One-time set-up by its causes: GPUs rented but idle, and engineers."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    idle: Duration = Field(
        default=0, description="time the whole cluster is paid for before work starts (default 0 s: assumed)"
    )
    engineer_months: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        strict=True,
        allow_inf_nan=False,
        description="engineer-months (default 0: assumed)",
    )
    engineer_month: Money = Field(
        default=33_333.33, description="cost of an engineer-month [USD] (default 33,333.33: deck)"
    )


if TYPE_CHECKING:
    Setup = float | Onboarding
else:
    Setup = one_of({"table": Onboarding}, Annotated[Money, Tag(tag("text"))])


class Tco(BaseModel):
    """The [tco] table: what a provider charges beside the GPUs that fail."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    term: PositiveDuration = Field(
        default=36 * MS_PER_MONTH, description="length of the contract (default 36 mo: deck)"
    )
    gpu_hour: PricePerGpuHour = Field(description="rent of a GPU-hour [USD], whether it is useful or not")
    hot_storage: Storage = Field(default=NO_STORAGE, description="fast storage (default none: assumed)")
    cold_storage: Storage = Field(default=NO_STORAGE, description="object storage (default none: assumed)")
    network: MoneyPerMonth = Field(
        default=0.0, description="network and traffic [USD/month] (deck: 0 at Gold and Silver)"
    )
    cpu: MoneyPerMonth = Field(default=0.0, description="CPU nodes [USD/month] (deck: 0 at Gold and Silver)")
    support: Fraction = Field(
        default=0.0, description="share of GPU, storage, network and CPU charges (deck: 0 at Gold)"
    )
    setup: Setup = Field(default=0.0, description="one-time: an amount, or { idle, engineer_months } (deck: 0 at Gold)")
    debugging: MoneyPerMonth = Field(
        default=0.0, description="engineers who chase faults [USD/month] (deck: 0 at Gold)"
    )

    energy: PricePerKwh | None = Field(
        default=None,
        description="price of energy, if it is paid beside the rent (colocation); told beside the total, not in it; "
        "leave out: the rent includes it",
    )

    @property
    def months(self) -> float:
        """The term in months of 720 h."""
        return self.term / MS_PER_MONTH


GROUPS: Mapping[str, tuple[str, ...]] = {
    "gpu": ("gpu",),
    "storage": ("hot_storage", "cold_storage"),
    "network_cpu": ("network", "cpu"),
    "support": ("support",),
    "goodput": ("goodput",),
    "setup": ("setup",),
    "debugging": ("debugging",),
}
"""Lines that a gap attribution puts together; every line is in exactly one group."""


def gpu_monthly(tco: Tco, gpus: int) -> float:
    """Rent of all GPUs [USD/month] = N * price * 720."""
    return gpus * tco.gpu_hour * HOURS_PER_MONTH


def setup_usd(tco: Tco, gpus: int) -> float:
    """One-time set-up [USD]: the amount itself, or idle months * GPU rent + engineer-months * their cost."""
    setup = tco.setup
    if not isinstance(setup, Onboarding):
        return setup
    return setup.idle / MS_PER_MONTH * gpu_monthly(tco, gpus) + setup.engineer_months * setup.engineer_month


def lines(tco: Tco, gpus: int, loss: Loss) -> dict[str, Loss]:
    """Every row of the table [USD/month], in its order.

    support = rate * (gpu + storage + network + cpu); goodput = loss * gpu; setup = one-time / months.
    """
    gpu = gpu_monthly(tco, gpus)
    hot, cold = tco.hot_storage.monthly_usd, tco.cold_storage.monthly_usd
    support = tco.support * (gpu + hot + cold + tco.network + tco.cpu)
    shape = 0.0 * loss  # gives the rows that do not depend on the loss its shape too
    return {
        "gpu": gpu + shape,
        "hot_storage": hot + shape,
        "cold_storage": cold + shape,
        "network": tco.network + shape,
        "cpu": tco.cpu + shape,
        "support": support + shape,
        "goodput": loss * gpu,
        "setup": setup_usd(tco, gpus) / tco.months + shape,
        "debugging": tco.debugging + shape,
    }


def monthly(tco: Tco, gpus: int, loss: Loss) -> Loss:
    """Cost of a month [USD]: the sum of all lines.

    Added one by one: from Python 3.12 on the built-in sum rounds floats otherwise than arrays.
    """
    return reduce(add, lines(tco, gpus, loss).values())


def term_lines(tco: Tco, gpus: int, loss: Loss) -> dict[str, Loss]:
    """Every line over the term [USD] = line * months of the term."""
    return {name: usd * tco.months for name, usd in lines(tco, gpus, loss).items()}


def total(tco: Tco, gpus: int, loss: Loss) -> Loss:
    """Cost over the term [USD] = cost of a month * months of the term."""
    return monthly(tco, gpus, loss) * tco.months


def attribution(a: Mapping[str, Loss], b: Mapping[str, Loss]) -> dict[str, Loss]:
    """Split the gap between two offers, b minus a [USD], by ``GROUPS``; the parts sum to the gap.

    ``a`` and ``b`` are ``term_lines``; ``gpu`` is 0 between offers of one price, size and term.
    """
    zero = 0.0 * a["gpu"]
    return {group: sum((b[line] - a[line] for line in rows), zero) for group, rows in GROUPS.items()}


def useful_hour_prices(tco: Tco, gpus: int, loss: Loss) -> dict[str, Loss | None]:
    """Three prices of a useful GPU-hour [USD], p the rent and g the loss.

    ``deck`` = p(1 + g), the published convention; ``physical`` = p/(1 - g), rent per hour that is useful;
    ``all_in`` = (month - goodput line)/(N * 720 * (1 - g)): the goodput line is left out because dividing
    by 1 - g already charges it. A loss of 1 or more leaves no useful hour: the last two are then None, or
    NaN inside an array.
    """
    paid = monthly(tco, gpus, loss) - loss * gpu_monthly(tco, gpus)
    return {
        "deck": tco.gpu_hour * (1 + loss),
        "physical": _per_useful(tco.gpu_hour + 0.0 * loss, loss),
        "all_in": _per_useful(paid / (gpus * HOURS_PER_MONTH), loss),
    }


def _per_useful(usd: Loss, loss: Loss) -> Loss | None:
    if isinstance(loss, float | int):
        return usd / (1 - loss) if loss < 1 else None
    import numpy as np

    return usd / np.where(loss < 1, 1 - loss, np.nan)
