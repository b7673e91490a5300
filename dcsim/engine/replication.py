"""One replication: the plain engine where counts settle it, the full one for everything else."""

from dcsim.engine.everything import Everything
from dcsim.engine.log import EventLog
from dcsim.ledger import Accounts
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.plan import plan


def simulate(scenario: Scenario, replication: int, log: EventLog | None = None) -> Accounts:
    """Simulate one replication; the ledger is verified to conserve N * H exactly.

    The failures come from (seed, replication) alone; see ``dcsim.streams``. ``log``: filled with what happens.
    """
    prepared = plan(scenario)
    return simulate_everything(prepared, replication, log)


def simulate_everything(plan: Plan, replication: int, log: EventLog | None = None) -> Accounts:
    """Simulate one replication with the full engine, whatever the scenario."""
    simulation = Everything(plan, replication, log)
    return simulation.run(simulation.known_failures())
