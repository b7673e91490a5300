"""Distributions of the time to failure: one file each, found by being there."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Tag

from dcsim.hazards.lifetimes.exponential import as_lifetime
from dcsim.hazards.lifetimes.lifetime import Lifetime
from dcsim.registry import kinds_in, one_of, tag
from dcsim.units import MeanTimeBetweenFailures

__all__ = ["LIFETIMES", "AnyLifetime", "Lifetime", "as_lifetime"]

LIFETIMES = kinds_in(__name__, __path__, Lifetime)
"""Kind -> its model, in the order of the file names."""

if TYPE_CHECKING:
    AnyLifetime = int | Lifetime
else:
    AnyLifetime = one_of(LIFETIMES, Annotated[MeanTimeBetweenFailures, Tag(tag("text"))])
