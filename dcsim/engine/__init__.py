"""The SimPy engine: one replication of a scenario, from its failures to its ledger."""

from dcsim.engine.simulation import simulate

__all__ = ["simulate"]
