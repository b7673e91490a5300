"""What is left of the network: pure functions on arrays of shares, 1 healthy, 0 dead.

A share is data rate left over data rate when healthy. Source: the rules of MODEL.md ("Queues in the interconnect");
ECMP hashes evenly over what is alive, so the worst link decides.
"""

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]


def access_share(links: Shares, leaves: Shares, rails: int) -> Shares:
    """Return the share of each node's worst NIC, (nodes,).

    ``links`` (nodes, nics, homes); ``leaves`` (nodes or 1, rails, homes): the leaf that each rail and home hangs on.
    A NIC's share is the mean over its homes: a port is worth what both its link and its leaf are worth.
    """
    nics = links.shape[1]
    rail = np.arange(nics) % rails
    per_nic: Shares = (links * leaves[:, rail, :]).mean(axis=2)
    worst: Shares = per_nic.min(axis=1)
    return worst


def leaf_share(uplinks: Shares, spines: Shares, leaves: Shares) -> Shares:
    """Return the share of uplink capacity of each segment's worst leaf, (segments,).

    ``uplinks`` (segments, leaves, uplinks), link i goes to spine i mod spines; ``spines`` (segments or 1, spines);
    ``leaves`` (segments, leaves). A dead leaf carries nothing and is left out; its ports are gone too.
    """
    to = np.arange(uplinks.shape[2]) % spines.shape[1]
    per_leaf: Shares = (uplinks * spines[:, None, to]).mean(axis=2)
    worst: Shares = np.where(leaves > 0, per_leaf, np.inf).min(axis=1)
    return _of_any(worst)


def core_share(uplinks: Shares, spines: Shares, cores: Shares, planes: int) -> Shares:
    """Return the share of each pod's capacity to the other pods, (pods,).

    ``uplinks`` (pods, spines, uplinks); ``spines`` (pods, spines); ``cores`` (cores,), plane by plane: spine i reaches
    plane i mod planes. ECMP gives every spine that has a way up the same load, so the worst of them decides.
    """
    _, count, links = uplinks.shape
    per_plane = len(cores) // planes
    to = (np.arange(count) % planes)[:, None] * per_plane + np.arange(links)[None, :] % per_plane
    per_spine: Shares = (uplinks * cores[to][None]).mean(axis=2)
    alive = (spines > 0) & (per_spine > 0)
    worst = np.where(alive, per_spine * spines, np.inf).min(axis=1)
    share: Shares = _of_any(worst) * (alive.sum(axis=1) / count)
    return share


def _of_any(worst: Shares) -> Shares:
    """Return the least share of what is alive; 0 where nothing is."""
    return np.where(np.isinf(worst), 0.0, worst)
