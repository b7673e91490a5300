"""One replication: the plain engine where counts settle it, the full one for everything else."""

from dcsim.engine.everything import Everything
from dcsim.engine.gang import GangState
from dcsim.engine.log import EventLog
from dcsim.engine.simulation import Simulation, strikes_of
from dcsim.hazards import Hazard
from dcsim.ledger import Accounts
from dcsim.recovery import Recovery
from dcsim.scenario import Job, Plan, Scenario, plan


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
    """Whether the plain engine does all that the scenario asks for."""
    scenario = plan.scenario
    return (
        not scenario.maintenance
        and not plan.has_plant
        and not scenario.cluster.in_rack_spares
        and all(_plain_job(job) for job in scenario.jobs)
        and all(_plain_hazard(hazard) for hazard in scenario.hazards)
    )


def _plain_job(job: Job) -> bool:
    """One shape, no chances, and every strike rolls back alike."""
    recovery = job.recovery
    certain = recovery.bad_checkpoint == 0 and recovery.restore_success == 1
    levels = {int(recovery.level(*case)) for case in ((0, False), (job.gpus, False), (job.gpus, recovery.coverage < 1))}
    one_shape = recovery.step == 0 and type(recovery).legal is Recovery.legal
    return job.work is None and certain and len(levels) == 1 and one_shape and len(recovery.tiers) <= 1


def _plain_hazard(hazard: Hazard) -> bool:
    """Slots, a constant rate, one stage of repair that always mends, found after a fixed time."""
    stage = hazard.stages[0]
    return (
        not hazard.placed
        and not hazard.ages
        and hazard.effect == "interrupt"
        and hazard.exposure == "always"
        and isinstance(hazard.detect, int)
        and hazard.wrong_node == 0
        and len(hazard.stages) == 1
        and stage.success == 1
        and hazard.requalify == 0
        and hazard.returns == "pool"
    )
