"""Keys of power and cooling in a topology file, and of power that comes later in a scenario.

PSU -> shelf -> rack (or node) -> feed -> site. What is left of each level against what is asked of it decides: enough,
capped (it slows by the shortfall) or tripped (it leaves service).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.problems import not_one_of
from dcsim.units import Fraction, Number, Power, Share, Whole

Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Any0 = Annotated[int, Field(strict=True, ge=0, le=10_000)]
PositivePower = Annotated[Power, Field(gt=0)]


class Table(BaseModel):
    """A table of a topology file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteKeys(Table):
    """Where the power comes from."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"feeds": 2, "feed": "40 MW", "generators": 5, "generator": "10 MW"}]}
    )
    feeds: Any0 = Field(0, description="utility feeds of the site (default 0: assumed)")
    feed: PositivePower | None = Field(None, description="what one utility feed gives")
    generators: Any0 = Field(
        0,
        description="behind-the-meter units (engines, turbines, fuel cells), always on (default 0: assumed)",
    )
    generator: PositivePower | None = Field(None, description="what one behind-the-meter unit gives")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for count, each in (("feeds", "feed"), ("generators", "generator")):
            if bool(getattr(self, count)) != (getattr(self, each) is not None):
                raise PydanticCustomError("quantity", "{why}", {"why": f"found only one of {count} and {each}"})
        if not self.feeds + self.generators:
            raise PydanticCustomError("quantity", "{why}", {"why": "found neither feeds nor generators"})
        return self


@dataclass(frozen=True)
class Chain:
    """How the site's power gets to the racks: the efficiency of each stage, and the voltage of the bus [V].

    Source of all efficiencies: assumed, within what vendors print; 800 V DC against 54 V gains 4.7 % in all (public,
    NVIDIA: up to 5 %).
    """

    stages: Mapping[str, float]
    volts: float


CHAINS = {
    "54v": Chain({"transformer": 0.99, "UPS": 0.96, "PSU": 0.975}, 54.0),
    "415vac": Chain({"transformer": 0.99, "UPS": 0.96, "server PSU": 0.96}, 415.0),
    "800vdc": Chain({"rectifier": 0.98, "DC/DC": 0.98}, 800.0),
}
REFERENCE_V = 54.0
"""The voltage at which ``wiring`` is given."""


class ConversionKeys(Table):
    """What is lost from the meter to the racks; [power] pue is then cooling and all else, without these losses."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"chain": "800vdc", "wiring": "1 %"}]})
    chain: Literal["54v", "415vac", "800vdc"] = Field(
        description="how power is brought to the racks: gives the stages and the voltage of the bus"
    )
    stages: dict[str, Annotated[Share, Field(gt=0)]] | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="efficiency of each stage by its name, in the place of those of the chain (assumed)",
    )
    wiring: Fraction = Field(
        0.01,
        description="share of the power that heats the bus if it is one of 54 V; at V volts the same conductor "
        "loses (54 / V)^2 of that (default 1 %: assumed)",
    )

    @property
    def efficiencies(self) -> Mapping[str, float]:
        """Efficiency of each stage, by its name, and of the wiring."""
        stages = CHAINS[self.chain].stages if self.stages is None else self.stages
        return {**stages, "wiring": 1 - self.wiring * self.wiring_share}

    @property
    def wiring_share(self) -> float:
        """I^2 R loss at the voltage of the bus, by that of the same conductor and power at 54 V."""
        return (REFERENCE_V / CHAINS[self.chain].volts) ** 2

    @property
    def efficiency(self) -> float:
        """What arrives at the racks, as a share of what is converted for them."""
        return math.prod(self.efficiencies.values())

    @property
    def lost(self) -> float:
        """What is lost for each watt that arrives."""
        return 1 / self.efficiency - 1


class PowerKeys(Table):
    """From the PSU to the site."""

    per: Literal["rack", "node"] = Field(
        "rack",
        description="what the shelves supply: a rack with a busbar, or servers one by one (default rack: assumed)",
    )
    shelves: Count = Field(description="power shelves of one rack (or node)")
    psus: Count = Field(1, description="PSUs in one shelf (default 1: assumed)")
    psu: PositivePower = Field(description="what one PSU gives")
    feeds: Count = Field(1, description="feeds (A, B, ...): shelf i hangs on feed i mod feeds (default 1: assumed)")
    hall_racks: Annotated[int, Field(strict=True, ge=1, le=10**7)] | None = Field(
        None, description="racks on one set of feeds; leave out: all"
    )
    feed: PositivePower | None = Field(None, description="what one feed can carry; leave out: always enough")
    busways: bool = Field(
        False,
        strict=True,
        description="whether every row has a busway on each feed (default false: assumed)",
    )
    trips_below: Share = Field(
        0.5,
        description="share of its demand below which a rack trips, not slows (default 50 %: assumed)",
    )
    idle: Share = Field(
        0.3, description="power of GPUs that do not compute, as a share of full power (default 30 %: assumed)"
    )
    pue: Number = Field(1.25, ge=1, le=5, description="power usage effectiveness of the site (default 1.25: assumed)")
    site: SiteKeys | None = Field(None, description="the [power.site] table; leave out: always enough")
    conversion: ConversionKeys | None = Field(
        None, description="the [power.conversion] table; leave out: conversion losses are in the pue"
    )

    @property
    def meter_factor(self) -> float:
        """What the site takes for each watt of IT: its PUE, and what conversion loses where that is told apart."""
        return self.pue if self.conversion is None else self.pue + self.conversion.lost


class CoolingKeys(Table):
    """Coolant distribution units, row by row."""

    cdus: Count = Field(description="coolant distribution units (CDU) of one row")
    needed: Count = Field(description="CDUs that cool the row at full power")
    trips_below: Share = Field(0.5, description="share of its cooling below which a row trips (default 50 %: assumed)")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.needed > self.cdus:
            why = f"found {self.needed} needed; at most the {self.cdus} cdus"
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        return self


# --- power that comes later ----------------------------------------------------------------------------------------


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
