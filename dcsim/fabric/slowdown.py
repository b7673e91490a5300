"""How much longer a step takes on a shared or damaged network (docs/model.md, "Queues in the interconnect").

A job spends the share c of its healthy, unshared step in exposed communication; in it the job demands the full healthy
capacity that its NICs can use of a link. The rules of a run call these functions, so they take and give plain numbers.
"""

MOST_RHO = 0.95
"""Highest utilisation that the queue's formula is used at; source: assumed, it has a pole at 1."""


def md1_factor(rho: float) -> float:
    """Return mean time in an M/D/1 system over its service time: 1 + rho / (2 (1 - rho)), rho at most 0.95.

    Source: Pollaczek-Khinchine with a fixed service time.
    """
    rho = min(rho, MOST_RHO)
    return 1 + rho / (2 * (1 - rho))


def stretch(demand: float, others: float, left: float) -> float:
    """Return how much longer a job's communication takes on one of its links.

    ``demand``: sum of what all jobs ask of a link while they communicate; ``others``: traffic of the *other* jobs,
    their demand times the share of time in which they communicate; ``left``: what is left of the link, above 0. All in
    units of the healthy link: max(1, demand / left) * M/D/1 factor at rho = others / left.
    """
    return max(1.0, demand / left) * md1_factor(others / left)


def slowdown(comm: float, stretched: float) -> float:
    """Return step time over healthy, unshared step time: (1 - c) + c * stretch."""
    return (1 - comm) + comm * stretched
