"""Recovery strategies: one file each, found by being there. No other file names them."""

from typing import TYPE_CHECKING

from dcsim.recovery.keys import Recovery
from dcsim.registry import kinds_in, one_of

__all__ = ["STRATEGIES", "AnyRecovery", "Recovery"]

STRATEGIES = kinds_in(__name__, __path__, Recovery)
"""Kind -> its model, in the order of the file names."""

if TYPE_CHECKING:
    AnyRecovery = Recovery
else:
    AnyRecovery = one_of(STRATEGIES)
