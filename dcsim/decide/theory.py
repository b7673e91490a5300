"""What exact theory says about the first job: one gang alone that never waits for hardware."""

from dataclasses import dataclass

from dcsim.closed_form import (
    daly_interval,
    ettr_kokolis,
    no_rollback_goodput,
    optimal_interval,
    restart_goodput,
    young_interval,
)
from dcsim.hazards import Hazard
from dcsim.scenario import Plan, Scenario, plan
from dcsim.units import MS_PER_H


def reaching(layout: Plan, hazard: Hazard) -> float:
    """Return how many components of a hazard strike the first gang when they fail.

    With a typed blast that is its share of all slots; with a derived one, the components in the parts that its GPUs
    lie in (at their places at t = 0, or at the lowest ones if the gang is submitted later).
    """
    topology, gang = layout.topology, layout.gangs[0]
    part = hazard.struck_part
    if part is None:
        return gang.gpus / topology.gpus * topology.components(hazard.component)
    low = max(int(layout.places[0]), 0)
    span, own = topology.gpus_per(part), topology.gpus_per(hazard.component)
    first, last = low // span * span, min(-(-(low + gang.gpus) // span) * span, topology.gpus)
    return -(-(last - first) // own)


@dataclass(frozen=True)
class Theory:
    """One gang of the first job as a renewal process (MODEL.md 2.1); times in hours.

    The intervals are None where none is best: a strategy without rollback, or writes that cost no time.
    ``ettr_first_order`` is Kokolis' formula, None where it does not hold or nothing is rolled back.
    """

    mtbf_h: float
    stall_h: float
    goodput_loss: float
    ettr_first_order: float | None
    interval_h: float | None
    young_h: float | None
    daly_h: float | None
    optimal_h: float | None


def theory(scenario: Scenario) -> Theory:
    """Return the theory of one gang of the first job.

    Its rate is the number of components that reach it / MTBF, summed over the hazards; its stall is detect (the mean
    over the failures) plus the phases that its strategy goes through; overheads take their share of what is left.
    """
    recovery = scenario.jobs[0].recovery
    layout = plan(scenario)
    rates = [reaching(layout, hazard) * MS_PER_H / hazard.lifetime.mean_ms for hazard in scenario.hazards]
    rate = sum(rates)
    detect = sum(each * hazard.detect for each, hazard in zip(rates, scenario.hazards, strict=True)) / rate
    stall = (detect + sum(recovery.phases)) / MS_PER_H
    write = recovery.checkpoint_write / MS_PER_H
    interval = recovery.checkpoint_every / MS_PER_H if recovery.checkpoint_every else None
    known, ettr = None, None
    if recovery.rolls_back:
        assert interval is not None  # the model asks for it
        goodput = restart_goodput(rate, interval, write, stall)
        ettr = ettr_kokolis(rate, stall, interval, write)
        known = (rate, write) if write else None
    else:
        goodput = no_rollback_goodput(rate, interval or 0.0, write if interval else 0.0, stall)
    return Theory(
        mtbf_h=1 / rate,
        stall_h=stall,
        goodput_loss=1 - goodput * (1 - recovery.steady_overhead),
        ettr_first_order=ettr,
        interval_h=interval,
        young_h=known and young_interval(*known),
        daly_h=known and daly_interval(*known),
        optimal_h=known and optimal_interval(*known),
    )
