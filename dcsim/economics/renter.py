"""What a renter signs: the [tco] table.

Source: deck (SemiAnalysis, "From Fab to Token", April 2026). Money in USD, a month is 720 h, sizes in GiB.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Tag

from dcsim.registry import one_of, tag
from dcsim.units import (
    MS_PER_MONTH,
    Duration,
    FeePerGpuHour,
    Fraction,
    Money,
    MoneyPerMonth,
    PositiveDuration,
    PricePerGiBMonth,
    PricePerGpuHour,
    PricePerKwh,
    SizeGiB,
)


class Storage(BaseModel):
    """An amount of storage and its price."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: SizeGiB = Field(description="provisioned size [GiB] (deck: 500 TiB hot, 10 PiB cold)")
    price: PricePerGiBMonth = Field(description="price [USD per GiB and month] (deck: 0.01 to 0.0725)")


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
    licence: FeePerGpuHour = Field(
        default=0.0,
        description="price of software, such as a fault-tolerance product, for every GPU-hour rented [USD]; a line of "
        "its own, no part of what support is charged on (default 0: assumed, it is in the rent)",
    )
    energy: PricePerKwh | None = Field(
        default=None,
        description="price of energy, if it is paid beside the rent (colocation); shown beside what is paid, not in "
        "it; leave out: the rent includes it",
    )
    until: Literal["done", "term"] | None = Field(
        default=None,
        description="how long the rent runs: 'done', until the last job has finished its work; 'term', for the whole "
        "term, or until the last job is done if that is later; leave out: 'done' if every job has work, else 'term'",
    )

    @property
    def months(self) -> float:
        """The term in months of 720 h."""
        return self.term / MS_PER_MONTH
