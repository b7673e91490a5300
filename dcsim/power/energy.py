"""Energy of every state: GPU-hours times what a GPU draws in it."""

from collections.abc import Mapping

FULL = ("useful", "overhead", "lost")
"""States in which GPUs compute."""
OFF = ("repair", "maintenance", "unpowered")
"""States in which they draw nothing (assumed: what is out of service is switched off)."""


def energy_kwh(
    gpu_hours: Mapping[str, float],
    overhead: Mapping[str, float],
    kw_per_gpu: float,
    idle: float,
    switches_kw: float,
    hours: float,
    pue: float,
) -> dict[str, float]:
    """Return energy by state and of ``network`` [kWh], what the site takes: PUE times what the IT takes.

    ``gpu_hours`` by state of the ledger, ``overhead`` by its causes [GPU-h]; ``kw_per_gpu``: its share of a rack at
    full load [kW]; ``idle``: share of that where it does not compute; switches run for all of the ``hours``. What
    power capping takes from a step is energy that is not drawn; members that a small shape has no use for are idle.
    """
    found = {}
    for state, time in gpu_hours.items():
        share = 1.0 if state in FULL else 0.0 if state in OFF else idle
        found[state] = pue * kw_per_gpu * share * time
    saved = overhead.get("power", 0.0) + (1 - idle) * overhead.get("shrunk", 0.0)
    found["overhead"] = found.get("overhead", 0.0) - pue * kw_per_gpu * saved
    found["network"] = pue * switches_kw * hours
    return found
