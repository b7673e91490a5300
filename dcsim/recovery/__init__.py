"""Recovery strategies: one file each, found by being there. No other file names them."""

from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from dcsim.recovery.keys import Recovery
from dcsim.recovery.presets import Preset, without_preset
from dcsim.recovery.timetable import Tier
from dcsim.registry import kinds_in, one_of

__all__ = ["STRATEGIES", "AnyRecovery", "Preset", "Recovery", "Tier", "presets"]

STRATEGIES = kinds_in(__name__, __path__, Recovery)
"""Kind -> its model, in the order of the file names."""

if TYPE_CHECKING:
    AnyRecovery = Recovery
else:
    AnyRecovery = Annotated[one_of(STRATEGIES), BeforeValidator(without_preset)]
