"""Which switch an uplink leads to. The rules of a run call this, so it takes and gives plain numbers."""


def core_of(pod: int, spine: int, link: int, spines: int, uplinks: int, planes: int, cores: int) -> int:
    """Return the core that an uplink of a pod's spine leads to; ``spines`` of a pod, ``uplinks`` of a spine.

    Spine i reaches the cores of plane i mod planes; the uplinks of a plane take its cores in turn, pod by pod, so that
    no core has more of them than its share.
    """
    per_plane = cores // planes
    turn = (pod * (spines // planes) + spine // planes) * uplinks + link
    return spine % planes * per_plane + turn % per_plane
