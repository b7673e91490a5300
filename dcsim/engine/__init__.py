"""The clocks: what plays the rules of the model, and gives ledgers and event logs."""

from typing import TYPE_CHECKING, Any

from dcsim.engine.compiled_clock import simulate, simulate_with_log
from dcsim.program.event_log import EventLog

if TYPE_CHECKING:
    from dcsim.engine.simpy_clock import SimPyRun, simulate_by_simpy

__all__ = ["EventLog", "SimPyRun", "simulate", "simulate_by_simpy", "simulate_with_log"]


def __getattr__(name: str) -> Any:
    """Import SimPy's clock, and with it simpy, where it is asked for."""
    if name in ("SimPyRun", "simulate_by_simpy"):
        from dcsim.engine import simpy_clock

        return getattr(simpy_clock, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
