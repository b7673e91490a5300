"""What is missed of the availabilities of independent domains, or of replicas, and what that gives back, by theory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.closed_form import Losses, down_at_most, down_probabilities, enough_up, promised, too_few_up
from dcsim.decide.theory import gang_strikes
from dcsim.distributions import Distribution
from dcsim.economics.credits import Sla, reached_names
from dcsim.hazards import Hazard
from dcsim.scenario import Scenario
from dcsim.scenario.intervals import strikes_on
from dcsim.scenario.plan import Plan, blast_of, plan
from dcsim.topology.build import Topology
from dcsim.units import MS_PER_H

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SlaTheory:
    """What independent domains miss, by renewal theory in the steady state (``closed_form.availability``).

    ``approximate``: of a domain that needs only some of its parts (``closed_form.too_few_up``).

    ``missed``: the share of a domain's months below each availability. ``share``: what is given back of the price,
    claimed and capped as a mean; None without [sla.credits]. ``promised``: the availability that is missed in at most
    that share of months that [sla] promise names; None where nobody asks.
    """

    missed: tuple[float, ...]
    share: float | None
    promised: float | None
    approximate: bool = False

    def series(self, sla: Sla, hours: Values) -> dict[str, Values]:
        """Return what ``credit_lines`` read, for one domain in each month of so many ``hours``, float64 (m + 1,)."""
        sold = (hours > 0).astype(np.float64)
        names = reached_names(sla.shares)
        return {"domains": sold} | {name: sold * (1 - missed) for name, missed in zip(names, self.missed, strict=True)}

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = {"missed": list(self.missed), "credits_share_of_price": self.share, "promised": self.promised}
        return found | ({"approximate": True} if self.approximate else {})


def sla_theory(scenario: Scenario) -> SlaTheory | None:
    """Return what independent domains, or replicas, miss; None where there is no closed form.

    There is one for constant rates, one fixed detection and one stage of repair without a queue, if each failure takes
    all of a domain, or equal parts of it of which so many are needed. Nothing else may take hardware out of service. Of
    replicas there is one if all are of one job, which is struck as often at any time and is never short of hardware.
    """
    sla = scenario.sla
    if sla is None or scenario.maintenance or scenario.energisation or plan(scenario).has_plant:
        return None
    month = min(scenario.month, scenario.horizon) / MS_PER_H
    found = _of_replicas(plan(scenario)) if sla.replicas else _of_parts(scenario, month)
    if found is None:
        return None
    losses, approximate = found
    times = losses.rate, losses.longer, losses.mean, month
    kept = down_at_most([(1 - share) * month for share in sla.shares], *times)
    missed = tuple(1 - each for each in kept)
    share = None
    if sla.credits is not None:
        tiers = (0.0, *sla.credits.shares)
        share = sum((b - a) * each for a, b, each in zip(tiers, tiers[1:], missed, strict=False))
        share = min(sla.credits.claimed * share, sla.credits.cap)
    promise = None if sla.promise is None else promised(sla.promise, *times)
    return SlaTheory(missed, share, promise, approximate)


def _of_parts(scenario: Scenario, month: float) -> tuple[Losses, bool] | None:
    """Return how a domain is lost, and whether its law is approximate; None where there is no closed form."""
    assert scenario.sla is not None
    (size, _), topology = plan(scenario).sold, plan(scenario).topology
    outages = [_outage(hazard, topology) for hazard in scenario.hazards]
    known = [each for each in outages if each is not None]
    if len(known) < len(outages):
        return None
    times = [(each.fixed_ms, each.law) for each in known]
    rate = sum(each.rate for each in known)
    weights = [each.rate / rate for each in known]

    def longer(hours: float) -> float:
        ms = hours * MS_PER_H
        return sum(w * (1.0 if ms < at else law.beyond(ms - at)) for w, (at, law) in zip(weights, times, strict=True))

    mean = sum(w * (at + law.mean_ms) for w, (at, law) in zip(weights, times, strict=True)) / MS_PER_H
    if all(each.gpus % size == 0 for each in known):
        return Losses(rate, longer, mean), False
    part = known[0].gpus
    if size % part or any(each.gpus != part for each in known):
        return None
    parts = size // part
    needed = -(-(scenario.sla.needs or size) // part)
    return too_few_up(parts, needed, rate, longer, mean, month), True


def _of_replicas(layout: Plan) -> tuple[Losses, bool] | None:
    """Return how a replica is lost: from a strike until it computes again; None where there is no closed form."""
    scenario = layout.scenario
    assert scenario.sla is not None
    sold = [number for number, job in enumerate(scenario.jobs) if scenario.sla.sells(job.name)]
    first = next(gang.index for gang in layout.gangs if gang.job == sold[0])
    recovery, gpus = layout.gangs[first].recovery, layout.gangs[first].gpus
    hazards = [hazard for hazard, _, _ in strikes_on(layout, first)]
    plain = all(
        hazard.lifetime.memoryless
        and hazard.effect in ("interrupt", "kill")
        and hazard.exposure == "always"
        and not (hazard.burst or hazard.lemons or hazard.wrong_node or hazard.notice)
        and hazard.detection.variation == 0
        for hazard in hazards
    )
    steady = recovery.restore_success == 1 and scenario.jobs[sold[0]].preflight is None and not recovery.runs_small
    if len(sold) > 1 or not (hazards and plain and steady and recovery.spare == "hot"):
        return None
    strikes = gang_strikes(layout, first)
    stalls = [each.detect + (recovery.failover + recovery.restore_ms(each.level, gpus)) / MS_PER_H for each in strikes]
    rate = sum(each.rate for each in strikes)
    weights = [each.rate / rate for each in strikes]

    def longer(hours: float) -> float:
        return sum(weight for weight, stall in zip(weights, stalls, strict=True) if hours < stall)

    mean = sum(weight * stall for weight, stall in zip(weights, stalls, strict=True))
    return Losses(rate, longer, mean), False


@dataclass(frozen=True)
class _Outage:
    """What a hazard takes out together: ``gpus``, at a ``rate`` [1/h], for ``fixed_ms`` and then a time of ``law``."""

    gpus: int
    rate: float
    fixed_ms: float
    law: Distribution


def _outage(hazard: Hazard, topology: Topology) -> _Outage | None:
    """Return what a hazard takes out together, where failures are Poisson and repairs wait for nobody; else None."""
    stage, detect, blast = hazard.stages[0], hazard.detection, blast_of(hazard, topology)
    plain = (
        (hazard.lifetime.memoryless and hazard.effect == "interrupt" and hazard.exposure == "always")
        and not (hazard.burst or hazard.lemons or hazard.serves or hazard.wrong_node or hazard.notice)
        and (len(hazard.stages) == 1 and stage.crews is None and not stage.waits and stage.success == 1)
        and detect.variation == 0
    )
    if not plain:
        return None
    rate = blast / topology.gpus_per(hazard.component) / (hazard.lifetime.mean_ms / MS_PER_H)
    return _Outage(blast, rate, detect.mean_ms + hazard.requalify, stage.duration)


def time_up(scenario: Scenario) -> float | None:
    """Return the share of time in which a domain that is sold is available, in the steady state.

    Where one hazard takes out equal parts of it, of which some must be up (16 of 18 trays), or all of it.
    None where there is no closed form: other hazards, crews, maintenance, a plant.
    """
    sla = scenario.sla
    if sla is None or sla.replicas or scenario.maintenance or plan(scenario).has_plant or len(scenario.hazards) != 1:
        return None
    topology = plan(scenario).topology
    (size, _), outage = plan(scenario).sold, _outage(scenario.hazards[0], topology)
    if outage is None or (outage.gpus % size and size % outage.gpus):
        return None
    parts = max(1, size // outage.gpus)
    needed = -(-(sla.needs or size) * parts // size)
    mean = (outage.fixed_ms + outage.law.mean_ms) / MS_PER_H
    return enough_up(down_probabilities(parts, parts, 1 / outage.rate, mean), needed)
