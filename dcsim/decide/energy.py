"""What a simulated cluster draws, and what that costs beside the rent."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dcsim.plant import Demand
from dcsim.power import energy_kwh
from dcsim.scenario import Scenario
from dcsim.topology.build import build
from dcsim.units import MS_PER_H


@dataclass(frozen=True)
class Energy:
    """Energy over the horizon at the site's meter [kWh]: by state of the ledger, and of the network.

    ``usd``: what it costs if [tco] gives a price of energy, else None.
    """

    kwh: Mapping[str, float]
    pue: float
    usd: float | None

    @classmethod
    def of(cls, scenario: Scenario, gpu_hours: Mapping[str, float], overhead: Mapping[str, float]) -> "Energy | None":
        """Fold a mean ledger [GPU-h]; None where the topology gives no power."""
        topology = build(scenario.cluster.topology, scenario.cluster.gpus)
        demand, power = Demand(topology), topology.description.power
        kw_per_gpu = float(demand.racks_w.sum()) / topology.gpus / 1e3
        if not kw_per_gpu or power is None:
            return None
        hours = scenario.horizon / MS_PER_H
        switches_kw = demand.switches_w / 1e3
        kwh = energy_kwh(gpu_hours, overhead, kw_per_gpu, power.idle, switches_kw, hours, power.pue)
        price = scenario.tco.energy if scenario.tco else None
        return cls(kwh, power.pue, None if price is None else price * sum(kwh.values()))

    @cached_property
    def total_kwh(self) -> float:
        """All of it [kWh]."""
        return sum(self.kwh.values())

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kwh": dict(self.kwh), "total_kwh": self.total_kwh, "pue": self.pue, "usd": self.usd}
