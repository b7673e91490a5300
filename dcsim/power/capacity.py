"""What is left of supply against demand: pure functions on arrays of shares, 1 healthy, 0 dead."""

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]


def supply_share(psus: Shares, shelves: Shares, feeds: Shares, psu_w: float, demand_w: Shares) -> Shares:
    """Return what the shelves of each rack (or node) give, as a share of its demand, at most 1: (units,).

    ``psus`` (units, shelves, psus); ``shelves`` (units, shelves); ``feeds`` (units or 1, feeds): shelf i hangs on feed
    i mod feeds; ``psu_w`` [W]; ``demand_w`` (units,) [W]. Redundancy (N+N, N+k) is what the capacity leaves over.
    """
    feed = np.arange(shelves.shape[1]) % feeds.shape[1]
    given = (psus.sum(axis=2) * shelves * feeds[:, feed]).sum(axis=1) * psu_w
    return pool_share(given, demand_w)


def pool_share(given_w: Shares, demand_w: Shares) -> Shares:
    """Return supply over demand, at most 1; 1 where nothing is demanded. Both [W]."""
    share: Shares = np.where(demand_w > given_w, given_w / np.where(demand_w > 0, demand_w, 1.0), 1.0)
    return share
