"""The engines: one replication of a scenario, from its failures to its ledger."""

from dcsim.engine.log import EventLog
from dcsim.engine.replication import simulate
from dcsim.engine.simpy_clock import SimPyRun, simulate_by_simpy

__all__ = ["EventLog", "SimPyRun", "simulate", "simulate_by_simpy"]
