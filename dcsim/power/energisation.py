"""Power that comes later: the [[energisation]] tables of a scenario, and dates by the name of what is waited for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.problems import not_one_of
from dcsim.units import Whole


@dataclass(frozen=True)
class Wait:
    """How long something is waited for, from the order: any time between two, all equally likely (assumed)."""

    low: str
    high: str
    about: str
    source: str


DATES = {
    "interconnect-queue": Wait("4 y", "7 y", "a place in the queue for a connection to the grid", "deck: 4 to 7 years"),
    "transformer-medium": Wait("805 d", "910 d", "a transformer of medium size", "primer: 115 to 130 weeks"),
    "transformer-large": Wait("840 d", "1470 d", "a large transformer", "primer: 120 to 210 weeks"),
}
"""Dates that a phase may name; from the order on, so what has passed of the wait by t = 0 is not taken off."""


def _named(value: object) -> object:
    """Turn the name of what is waited for into its distribution; any other text without a digit is a name too."""
    if not isinstance(value, str) or any(letter.isdigit() for letter in value):
        return value
    if value not in DATES:
        why = not_one_of(DATES, value, also=['a time such as "6 mo"', "a distribution"])
        raise PydanticCustomError("quantity", "{why}", {"why": why})
    wait = DATES[value]
    return {"kind": "uniform", "low": wait.low, "high": wait.high}


if TYPE_CHECKING:
    Date = int | Distribution
else:
    Date = Annotated[
        DurationOrDistribution,
        BeforeValidator(_named, json_schema_input_type=Literal[tuple(DATES)] | DurationOrDistribution),
    ]
    """A time, a distribution, or the name of what is waited for."""


class Phase(BaseModel):
    """Power that comes later: racks that are dark until a date, or a site without its utility feeds until then."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=200, description="what is energised, unlike any other")
    racks: Whole | None = Field(
        None, ge=1, le=10**7, description="racks of this phase; phases take the last racks, in order of listing"
    )
    grid: bool = Field(
        False,
        strict=True,
        description="the utility feeds of the site; until then it has its generators only (default false: assumed)",
    )
    date: Date = Field(
        description="from the start of the horizon until it has power; a name of dcsim list presets stands for the "
        "whole wait, from the order on"
    )

    @property
    def when(self) -> Distribution:
        """Distribution of the date."""
        return as_distribution(self.date)
