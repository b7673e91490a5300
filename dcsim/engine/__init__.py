"""The clocks: what plays the rules of the model, and gives ledgers and event logs."""

from dcsim.engine.compiled_clock import simulate, simulate_with_log
from dcsim.program.event_log import EventLog

__all__ = ["EventLog", "simulate", "simulate_with_log"]
