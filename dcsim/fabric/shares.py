"""What is left of the network: pure functions on arrays of shares, 1 healthy, 0 dead.

A share is data rate left over data rate when healthy. Source: docs/model.md ("Queues in the interconnect");
ECMP hashes evenly over what is alive, so the worst link decides.
"""

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]


def access_share(links: Shares, leaves: Shares, rails: int, reroute: bool = False) -> Shares:
    """Return the share of each node's worst NIC, (nodes,); with ``reroute`` the mean over its NICs.

    ``links`` (nodes, nics, homes); ``leaves`` (nodes or 1, rails, homes): the leaf that each rail and home hangs on.
    A NIC's share is the mean over its homes: a port is worth what both its link and its leaf are worth. Without
    ``reroute`` every NIC carries its own part of the traffic, so the worst decides; with it the others take over.
    """
    nics = links.shape[1]
    rail = np.arange(nics) % rails
    per_nic: Shares = (links * leaves[:, rail, :]).mean(axis=2)
    share: Shares = per_nic.mean(axis=1) if reroute else per_nic.min(axis=1)
    return share


def uplink_means(uplinks: Shares, spines: Shares) -> Shares:
    """Return what each leaf has left of its uplinks, (segments, leaves): 0 cuts it off.

    ``uplinks`` (segments, leaves, uplinks), link i goes to spine i mod spines; ``spines`` (segments or 1, spines).
    """
    to = np.arange(uplinks.shape[2]) % spines.shape[1]
    means: Shares = (uplinks * spines[:, None, to]).mean(axis=2)
    return means


def leaf_share(means: Shares, leaves: Shares) -> Shares:
    """Return the share of uplink capacity of each segment's worst leaf, (segments,).

    ``means`` as of ``uplink_means``; ``leaves`` (segments, leaves). A leaf that is dead or cut off carries nothing and
    is left out: its ports are gone too.
    """
    worst: Shares = np.where((leaves > 0) & (means > 0), means, np.inf).min(axis=1)
    return _of_any(worst)


def core_of(pods: int, spines: int, uplinks: int, planes: int, cores: int, first: int = 0) -> NDArray[np.int64]:
    """Return the core that every uplink of every spine leads to, (pods, spines, uplinks), from pod ``first`` on.

    Spine i reaches the cores of plane i mod planes; the uplinks of a plane take its cores in turn, pod by pod, so that
    no core has more of them than its share.
    """
    per_plane = cores // planes
    pod, spine, link = np.ogrid[first : first + pods, :spines, :uplinks]
    turn = (pod * (spines // planes) + spine // planes) * uplinks + link
    found: NDArray[np.int64] = spine % planes * per_plane + turn % per_plane
    return found


def core_share(uplinks: Shares, spines: Shares, cores: Shares, planes: int, first: int = 0) -> Shares:
    """Return the share of each pod's capacity to the other pods, (pods,).

    ``uplinks`` (pods, spines, uplinks) from pod ``first`` on; ``spines`` (pods, spines); ``cores`` (cores,), plane by
    plane, wired as ``core_of`` says. ECMP gives every spine that has a way up the same load: the worst of them decides.
    """
    pods, count, links = uplinks.shape
    to = core_of(pods, count, links, planes, len(cores), first)
    per_spine: Shares = (uplinks * cores[to]).mean(axis=2)
    alive = (spines > 0) & (per_spine > 0)
    worst = np.where(alive, per_spine * spines, np.inf).min(axis=1)
    share: Shares = _of_any(worst) * (alive.sum(axis=1) / count)
    return share


def _of_any(worst: Shares) -> Shares:
    """Return the least share of what is alive; 0 where nothing is."""
    return np.where(np.isinf(worst), 0.0, worst)
