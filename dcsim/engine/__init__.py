"""The SimPy engine: one replication of a scenario, from its failures to its ledger."""

from dcsim.engine.log import EventLog
from dcsim.engine.replication import simulate

__all__ = ["EventLog", "simulate"]
