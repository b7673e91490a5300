"""What a strategy rolls back to, tabulated."""

import numpy as np
from numpy.typing import NDArray

from dcsim.recovery import Recovery


def levels_of(recovery: Recovery, count: int) -> NDArray[np.int64]:
    """Return the level for 0 ... ``count`` - 1 members struck, each first covered, then not: int64 (2 * count,)."""
    struck = np.arange(count, dtype=np.int64)
    answers = [recovery.level(struck, np.full(count, uncovered)) for uncovered in (False, True)]
    found = np.stack([np.broadcast_to(each, struck.shape) for each in answers], axis=1).ravel()
    return np.ascontiguousarray(found, dtype=np.int64)
