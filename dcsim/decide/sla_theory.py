"""What independent domains that are sold miss of their availabilities, and what that gives back, by renewal theory."""

from dataclasses import dataclass
from typing import Any

from dcsim.closed_form import down_at_most, promised
from dcsim.scenario import Scenario
from dcsim.scenario.plan import blast_of, plan
from dcsim.units import MS_PER_H


@dataclass(frozen=True)
class SlaTheory:
    """What independent domains miss, by renewal theory in the steady state (``closed_form.availability``).

    ``missed``: the share of a domain's months below each availability. ``share``: what is given back of the price,
    claimed and capped as a mean; None without [sla.credits]. ``promised``: the availability that is missed in at most
    that share of months that [sla] promise names; None where nobody asks.
    """

    missed: tuple[float, ...]
    share: float | None
    promised: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"missed": list(self.missed), "credits_share_of_price": self.share, "promised": self.promised}


def sla_theory(scenario: Scenario) -> SlaTheory | None:
    """Return what independent domains miss; None where there is no closed form.

    There is one if all GPUs of a domain are needed, and each failure takes all of it: constant rates, one fixed
    detection, one stage of repair without a queue. Nothing else may take hardware out of service.
    """
    sla = scenario.sla
    if sla is None or scenario.maintenance or scenario.energisation or plan(scenario).has_plant:
        return None
    topology = plan(scenario).topology
    size = topology.gpus_per(sla.sold)
    if sla.needs not in (None, size):
        return None
    rates, times = [], []
    for hazard in scenario.hazards:
        stage, detect = hazard.stages[0], hazard.detection
        plain = (
            (hazard.lifetime.memoryless and hazard.effect == "interrupt" and hazard.exposure == "always")
            and not (hazard.burst or hazard.lemons or hazard.serves or hazard.wrong_node or hazard.notice)
            and (len(hazard.stages) == 1 and stage.crews is None and not stage.waits and stage.success == 1)
            and detect.variation == 0
        )
        blast = blast_of(hazard, topology)
        if not plain or blast % size:
            return None
        rates.append(blast / topology.gpus_per(hazard.component) / (hazard.lifetime.mean_ms / MS_PER_H))
        times.append((detect.mean_ms + hazard.requalify, stage.duration))
    rate = sum(rates)
    weights = [each / rate for each in rates]

    def longer(hours: float) -> float:
        ms = hours * MS_PER_H
        return sum(w * (1.0 if ms < at else law.beyond(ms - at)) for w, (at, law) in zip(weights, times, strict=True))

    mean = sum(w * (at + law.mean_ms) for w, (at, law) in zip(weights, times, strict=True)) / MS_PER_H
    month = min(scenario.month, scenario.horizon) / MS_PER_H
    kept = down_at_most([(1 - share) * month for share in sla.shares], rate, longer, mean, month)
    missed = tuple(1 - each for each in kept)
    share = None
    if sla.credits is not None:
        tiers = (0.0, *sla.credits.shares)
        share = sum((b - a) * each for a, b, each in zip(tiers, tiers[1:], missed, strict=False))
        share = min(sla.credits.claimed * share, sla.credits.cap)
    promise = None if sla.promise is None else promised(sla.promise, rate, longer, mean, month)
    return SlaTheory(missed, share, promise)
