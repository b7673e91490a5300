"""Keys of power and cooling in a topology file.

PSU -> shelf -> rack (or node) -> feed -> site. What is left of each level against what is asked of it decides: enough,
capped (it slows by the shortfall) or tripped (it leaves service).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.units import Number, Power, Share

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
