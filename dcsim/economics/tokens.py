"""What a token seller earns: the [tokens] table, and its lines of the statement.

Source of the lines: deck (SemiAnalysis, "From Fab to Token", April 2026). Tokens are counted in millions, money is in
USD. A token costs what is paid for the hours in which it could have been computed, lost hours included.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dcsim.economics.statement import Input, Line
from dcsim.units import (
    HOURS_PER_YEAR,
    MS_PER_H,
    Fraction,
    MoneyPerMonth,
    PricePerMtok,
    Rate,
    Share,
    SizeGiB,
    TokenRate,
)
from dcsim.units import Tokens as NumberOfTokens

GB_PER_GIB = 1.073741824
TOKENS_PER_MTOK = 1e6


class Subscription(BaseModel):
    """What an app takes from a user every month, and the tokens that the user takes for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    price: Annotated[MoneyPerMonth, Field(gt=0)] = Field(description="what a user pays [USD/month] (deck: 20)")
    tokens: NumberOfTokens = Field(description="what a user takes in a month (deck: 10 Mtok)")

    @property
    def mtok(self) -> float:
        """Tokens of a user and month, in millions."""
        return self.tokens / TOKENS_PER_MTOK


class ServedModel(BaseModel):
    """The model that is served, and the GPU that it is served on: what ``dcsim table tokens`` chooses a batch from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weights: Annotated[SizeGiB, Field(gt=0)] = Field(
        description="size of all weights (deck: 140 GB, 70 billion parameters of two bytes)"
    )
    kv_cache: Annotated[SizeGiB, Field(gt=0)] = Field(
        description="size of the KV cache of 1,000 tokens of one sequence (deck: 0.625 GB)"
    )
    context: NumberOfTokens = Field(
        4_000.0, description="tokens of a sequence, question and answer (default 4,000 tok: deck)"
    )
    memory: Annotated[SizeGiB, Field(gt=0)] = Field(description="memory of one GPU; a replica has that of all its GPUs")
    bandwidth: Rate = Field(description="data rate of one GPU's memory (deck: 2.0 to 8.0 TB/s)")
    prefill: Fraction = Field(
        0.0,
        description="share of the work that is prefill where no cache answers; the deck's example has 80 % "
        "(default 0 %: assumed, other GPUs do it)",
    )
    hit: Share = Field(0.0, description="share of the prefill that a cache answers (default 0 %: assumed)")

    @property
    def weights_gb(self) -> float:
        """Size of the weights [GB]."""
        return self.weights * GB_PER_GIB

    @property
    def kv_cache_gb(self) -> float:
        """Size of the KV cache of 1,000 tokens [GB]."""
        return self.kv_cache * GB_PER_GIB

    @property
    def memory_gb(self) -> float:
        """Memory of one GPU [GB]."""
        return self.memory * GB_PER_GIB


class Tokens(BaseModel):
    """The [tokens] table: what useful GPU-hours are sold as."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"speed": "735 tok/s", "price": "1.75 USD/Mtok", "utilisation": "65 %"}]},
    )
    speed: TokenRate = Field(
        description="tokens that one GPU computes in a second when requests fill it (deck: 735 on an H200)"
    )
    utilisation: Annotated[Share, Field(gt=0)] = Field(
        1.0, description="share of the useful hours in which requests fill the GPUs (default 100 %: deck)"
    )
    price: PricePerMtok = Field(description="what a million tokens sell for (deck: 1.75)")
    decline: Fraction = Field(0.0, description="share by which the price falls in a year (default 0 %: assumed)")
    jobs: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=10_000, description="names of the jobs whose tokens are sold; leave out: all"
    )
    subscription: Subscription | None = Field(
        None, description="an app that sells the tokens to users; leave out: nobody asks for its margin"
    )
    model: ServedModel | None = Field(
        None, description="model and GPU, for dcsim table tokens; leave out: no batch is chosen"
    )

    def serves(self, job: str) -> bool:
        """Whether the tokens of a job are sold."""
        return self.jobs is None or job in self.jobs


Landlord = Literal["provider", "owner"]
"""Who the seller pays for the GPUs: a provider, by the bill of [tco], or the owner of the same scenario."""
PAID: Mapping[Landlord, str] = {"provider": "renter_month * hours / 720", "owner": "revenue - credits"}
"""What the GPUs cost: the bill, its set-up spread over the term; or the rent that the owner invoices, less credits."""
HIRED: Mapping[Landlord, tuple[str, str]] = {
    "provider": ("serving_gpu_hours", "cluster_gpu_hours"),
    "owner": ("serving_gpu_hours * occupancy_now", "on_sale_gpu_hours * occupancy_now"),
}
"""The useful GPU-hours that the seller has, and all that are paid for: of an owner those that are rented."""


def token_lines(tokens: Tokens, landlord: Landlord) -> list[Line]:
    """Return the lines of the token seller.

    They read the series ``serving_gpu_hours``, useful GPU-hours of the jobs that serve [GPU-h], and
    ``cluster_gpu_hours``, all of them; with an owner also lines of that one. Three lines say what the cost is paid for;
    they sum to it.
    """

    def line(name: str, label: str, formula: str, source: str = "deck", unit: str = "USD") -> Line:
        return Line(name, label, unit, formula, "token seller", "none" if unit == "USD/Mtok" else "sum", source)

    serving, hired = HIRED[landlord]
    served = f"{serving} * token_speed * 3600 * token_utilisation / 1000000"
    could = f"{hired} * token_speed * 3600 / 1000000"
    unused = f"{serving} * token_speed * 3600 * (1 - token_utilisation) / 1000000"
    split = "the cost by what each hour of a GPU could compute"

    def part(tokens_of_it: str) -> str:
        return f"token_cost * {tokens_of_it} / token_capacity if token_capacity > 0 else 0"

    falls = "token_list_price * (1 - token_decline) ** (max(month - 1, 0) * token_month_years)"
    lines = [
        line("tokens_served", "tokens sold", served, unit="Mtok"),
        line("token_price", "price of a million tokens", falls, "assumed: a fall from month to month", "USD/Mtok"),
        line("token_revenue", "tokens sold", "tokens_served * token_price"),
        line("token_cost", "GPUs of the token seller", PAID[landlord]),
        line("token_profit", "profit on tokens", "token_revenue - token_cost"),
        line("token_capacity", "tokens of all GPUs at full use", could, unit="Mtok"),
        line("token_unused", "tokens that nobody asked for", unused, unit="Mtok"),
        line("paid_for_tokens", "GPUs that compute tokens", part("tokens_served"), split),
        line("paid_for_unused", "GPUs without requests", part("token_unused"), split),
        line(
            "paid_for_lost",
            "failed, waiting and idle GPUs",
            part("(token_capacity - tokens_served - token_unused)"),
            split,
        ),
    ]
    if tokens.subscription is not None:
        lines += [
            line("app_revenue", "subscriptions", "tokens_served / user_mtok * user_fee"),
            line("third_party_profit", "profit of an app that buys tokens", "app_revenue - token_revenue"),
            line("first_party_profit", "profit of an app on its own tokens", "app_revenue - token_cost"),
        ]
    return lines


def factory_lines() -> list[Line]:
    """Return what is left to an owner who sells tokens: rent is then no cost; operating costs and depreciation are."""
    formula = "token_profit + accounting_profit"
    return [Line("factory_profit", "profit of an owner who sells tokens", "USD", formula, "token seller")]


def token_inputs(tokens: Tokens, month_ms: int, renter_month: float | None) -> list[Input]:
    """Return the numbers that these lines name.

    ``month_ms``: a month of the ledger. ``renter_month``: what is paid in 720 h [USD]; None where the owner sells.
    """
    its = tokens.subscription
    found = [
        Input("token_speed", tokens.speed, "tok/s", "tokens.speed"),
        Input("token_utilisation", tokens.utilisation, "1", "tokens.utilisation"),
        Input("token_list_price", tokens.price, "USD/Mtok", "tokens.price"),
        Input("token_decline", tokens.decline, "1", "tokens.decline"),
        Input("token_month_years", month_ms / (HOURS_PER_YEAR * MS_PER_H), "years", "month"),
    ]
    if renter_month is not None:
        found.append(Input("renter_month", renter_month, "USD per 720 h", "tco"))
    if its is not None:
        found += [
            Input("user_mtok", its.mtok, "Mtok/mo", "tokens.subscription.tokens"),
            Input("user_fee", its.price, "USD/mo", "tokens.subscription.price"),
        ]
    return found
