"""Energy of every state: GPU-hours times what a GPU draws in it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Amount = TypeVar("Amount", float, "NDArray[np.float64]")

FULL = ("useful", "overhead", "lost")
"""States in which GPUs compute."""
OFF = ("repair", "maintenance", "unpowered")
"""States in which they draw nothing (assumed: what is out of service is switched off)."""


def energy_kwh(
    gpu_hours: Mapping[str, Amount],
    overhead: Mapping[str, Amount],
    kw_per_gpu: float,
    idle: float,
    switches_kw: float,
    hours: Amount,
    pue: float,
) -> dict[str, Amount]:
    """Return energy by state and of ``network`` [kWh], what the site takes: PUE times what the IT takes.

    ``gpu_hours`` by state of the ledger, ``overhead`` by its causes [GPU-h]; ``kw_per_gpu``: its share of a rack at
    full load [kW]; ``idle``: share of that where it does not compute; switches run for all of the ``hours``. What
    power capping takes from a step is energy that is not drawn; members that a small shape has no use for are idle.
    Amounts are floats, or float64 arrays of one shape by run and month.
    """
    found: dict[str, Amount] = {}
    for state, time in gpu_hours.items():
        share = 1.0 if state in FULL else 0.0 if state in OFF else idle
        found[state] = pue * kw_per_gpu * share * time
    saved = overhead["power"] + (1 - idle) * overhead["shrunk"]
    found["overhead"] = found["overhead"] - pue * kw_per_gpu * saved
    found["network"] = pue * switches_kw * hours
    return found
