"""One replication: the plain engine where counts settle it, the full one for everything else."""

from dcsim.engine.everything import Everything
from dcsim.engine.gang import GangState
from dcsim.engine.log import EventLog
from dcsim.engine.simulation import Simulation, strikes_of
from dcsim.ledger import Accounts
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.countable import needs_more, runs_small
from dcsim.scenario.plan import plan


def simulate(scenario: Scenario, replication: int, log: EventLog | None = None) -> Accounts:
    """Simulate one replication; the ledger is verified to conserve N * H exactly.

    The failures come from (seed, replication) alone; see ``dcsim.streams``. ``log``: filled with what happens.
    """
    prepared = plan(scenario)
    if log is None and is_plain(prepared):
        gangs = [GangState(gang) for gang in prepared.gangs]
        simulation, draws = Simulation(prepared, replication, gangs), prepared.draws(replication)
        simulation.drawn = prepared.drawn(draws)
        return simulation.run(strikes_of(prepared, draws))
    return simulate_everything(prepared, replication, log)


def simulate_everything(plan: Plan, replication: int, log: EventLog | None = None) -> Accounts:
    """Simulate one replication with the full engine, whatever the scenario."""
    simulation = Everything(plan, replication, log)
    return simulation.run(simulation.known_failures())


def is_plain(plan: Plan) -> bool:
    """Whether the plain engine does all that the scenario asks for: counts settle it, and no gang runs small."""
    scenario = plan.scenario
    if any(hazard.placed for hazard in scenario.hazards) or any(runs_small(job.recovery) for job in scenario.jobs):
        return False
    return not needs_more(plan)
