"""Random scenarios with a plant: small clusters on every kind of network, power and cooling, all of which fails."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.parts import PARTS
from dcsim.scenario import Scenario
from dcsim.topology import Topology, TopologyDescription, TopologyError
from dcsim.topology.build import build
from tests.property.full_scenarios import FEATURES, Builder
from tests.property.scenarios import text

PLANT = (
    "fabric",
    "homes",
    "spine",
    "core",
    "switches",
    "power",
    "feed",
    "busways",
    "site",
    "cooling",
    "comm",
    "energisation",
    "aging",
    "served-maintenance",
    "keeps",
    "crews",
)
OTHERS = tuple(each for each in FEATURES if each not in ("maintenance",))
SHAPES = [(4, 2), (8, 1), (2, 3), (4, 4), (2, 2), (8, 2)]


@dataclass
class Plant(Builder):
    """What a plant, and what goes wrong with it, draws from."""

    def uneven(self, total: int, most: int) -> int | list[int]:
        """Draw a size, or sizes that differ and reach ``total`` together."""
        if self.one(True, True, False):
            return self.number(1, most)
        sizes: list[int] = []
        while sum(sizes) < total:
            sizes.append(self.number(1, most))
        return sizes

    def fabric(self) -> dict[str, Any]:
        """Draw a network: one segment, one pod or pods."""
        nodes = self.gpus // self.node
        rails, homes = self.number(1, 2), self.number(1, 2) if "homes" in self.has else 1
        found: dict[str, Any] = {"nics": rails * self.number(1, 2), "port": "400 Gb/s", "homes": homes, "rails": rails}
        found["reroute"] = found["nics"] > rails  # not drawn, so that all else stays as it was
        if "spine" not in self.has:
            return found | {"leaf": {"nodes": nodes}}
        size = self.uneven(nodes, self.one(2, 4, max(1, nodes // 2)))
        segments = -(-nodes // size) if isinstance(size, int) else len(size)
        spines = self.number(1, 3)
        found["leaf"] = {"nodes": size, "uplinks": spines * self.number(1, 2)}
        if self.one(True, False):
            found["leaf"]["link"] = self.one("100 Gb/s", "400 Gb/s")
        found["spine"] = {"count": spines, "segments": segments}
        if "core" in self.has:
            planes = self.one(*[each for each in (1, 2, 3) if spines % each == 0])
            found["spine"] |= {"segments": self.uneven(segments, max(1, segments - 1)), "uplinks": self.number(1, 3)}
            found["core"] = {"ports": self.number(1, 6), "planes": planes}
        return found

    def power(self) -> dict[str, Any]:
        """Draw what supplies racks or nodes; with nothing out it is enough to run, if not at full speed."""
        per = self.one("rack", "node")
        asked = self.node * 1000.0 + (0 if per == "node" else (self.per_rack - 1) * self.node * 1000 + 500)
        shelves, psus, feeds = self.number(1, 3), self.number(1, 2), self.number(1, 2)
        enough = self.one(0.9, 1.0, 1.25, 2.0)
        found: dict[str, Any] = {"per": per, "shelves": shelves, "psus": psus, "feeds": feeds}
        found["psu"] = f"{asked * enough / (shelves * psus):.0f} W"
        found |= {"busways": "busways" in self.has, "trips_below": self.one("50 %", "0 %", "80 %")}
        racks = -(-self.gpus // (self.node * self.per_rack))
        if self.one(True, False):
            found["hall_racks"] = self.number(1, racks)
        rack = self.node * self.per_rack * 1000 + 500
        if "feed" in self.has:
            found["feed"] = f"{rack * found.get('hall_racks', racks) * self.one(0.9, 1, 1.3, 2) / feeds:.0f} W"
        if "site" in self.has:
            found["pue"] = self.one(1.0, 1.25)
            units = [("feeds", "feed"), ("generators", "generator")]
            site: dict[str, Any] = {}
            for count, each in units if self.one(True, False) else [self.one(*units)]:
                site[count] = self.number(1, 3)
                site[each] = f"{rack * racks * found['pue'] * self.one(0.9, 1, 1.5) / site[count] + 2000:.0f} W"
            found["site"] = site
        return found

    def topology(self) -> dict[str, Any]:
        """Draw a topology."""
        domain = self.one("node", "rack")
        found: dict[str, Any] = {"name": "small", "description": "", "nvlink": {"domain": domain}}
        found["node"] = {"gpus": self.node, "power": f"{self.node} kW"}
        found["rack"] = {"nodes": self.per_rack, "row": self.number(1, 3), "power": "500 W"}
        if "switches" in self.has:
            found["nvlink"]["switches"] = self.number(1, 3)
            if self.one(True, False):
                found["nvlink"]["needed"] = self.number(0, found["nvlink"]["switches"])
        if "fabric" in self.has:
            found["fabric"] = self.fabric()
        if "power" in self.has:
            found["power"] = self.power()
        if "cooling" in self.has:
            needed = self.number(1, 3)
            found["cooling"] = {"cdus": needed + self.number(0, 1), "needed": needed}
            found["cooling"]["trips_below"] = self.one("50 %", "0 %", "80 %")
        if "storage" in self.has:
            found["storage"] = self.storage()
        return found

    def storage(self) -> dict[str, Any]:
        """Draw gateways for about one transfer of 1 GiB in three units of time, or for some."""
        gateways, enough = self.number(1, 3), self.one(0.3, 0.5, 1.0, 1.0, 2.0, 5.0)
        rate = 2**30 / 1e9 / (3 * self.unit / 1000) * enough / gateways
        return {"gateways": gateways, "bandwidth": f"{rate:.9f} GB/s"}

    def use(self, recovery: dict[str, Any]) -> dict[str, Any]:
        """Draw what a job with this strategy moves through the gateways."""
        restore = recovery["tiers"][-1]["restore"] if "tiers" in recovery else recovery["restore"]
        ms = round(1000 * float(restore.split()[0]))
        return {"state": self.one("1 GiB", "1 GiB", "3 GiB"), "load": text(self.one(0, ms // 2, ms))}

    def served_hazard(self, name: str, kind: str, components: int, crews: int) -> dict[str, Any]:
        """Draw a hazard of components that hold no GPU."""
        mean = text(max(1, self.unit * self.horizon * components // self.one(2, 4, 8, 20)))
        found: dict[str, Any] = {"name": name, "component": kind, "mtbf": mean}
        if self.chance("aging"):
            found["mtbf"] = self.one(
                {"kind": "weibull", "mean": mean, "shape": self.one(0.7, 3.0)},
                {"kind": "lognormal", "mean": mean, "sigma": 1.0},
            )
            if self.one(True, False):
                found["age"] = self.duration(self.horizon // 2)
        elif self.chance("burst"):
            found["burst"] = {"size": self.one(1.0, 2.5), "within": self.duration(8)}
        if self.chance("keeps"):
            found |= {"effect": "degrade", "keeps": self.one("50 %", "90 %", "33.3 %", "10 %")}
        if self.chance("lemons"):
            found["lemons"] = {"fraction": self.one("20 %", "60 %"), "factor": self.one(1.0, 2.5, 5.0)}
            if self.one(True, False):
                found["lemons"]["cured_by"] = "repair"
        found["detect"] = self.spread(self.one(1, 6))
        found["repair"] = self.repair(crews, False) if self.chance("crews") else self.spread(15)
        if "stages" in self.has:
            found["requalify"] = self.duration(self.one(0, 5))
        return found

    def planned(self, kinds: list[str]) -> list[dict[str, Any]]:
        """Draw planned work on components with and without GPUs."""
        found = self.maintenance()
        for each in found:  # on many components, not too often
            each["every"] = text(self.unit * (self.horizon // 3) + round(1000 * float(each["every"].split()[0])))
            if self.one(True, True, False):
                each["component"] = self.one(*kinds)
                for key in ("finds", "false_alarms", "retest"):  # only what holds GPUs is checked
                    each.pop(key, None)
        return found

    def phases(self, topology: Topology, grid: bool) -> list[dict[str, Any]]:
        """Draw dates of racks and of the grid."""
        found: list[dict[str, Any]] = []
        left = topology.racks
        for number in range(self.number(1, 3)):
            phase: dict[str, Any] = {"name": f"phase {number}"}
            if grid and self.one(True, False):
                phase["grid"], grid = True, False
            elif left:
                phase["racks"] = self.number(1, left)
                left -= phase["racks"]
            else:
                continue
            mean = self.duration(self.horizon // 2, 1)
            phase["date"] = self.one(text(0), mean, mean, {"kind": "exponential", "mean": mean})
            found.append(phase)
        return found


def made(tables: dict[str, Any], gpus: int) -> Topology | None:
    """Return a topology, or None if it cannot hold so many GPUs."""
    try:
        return build(TopologyDescription.model_validate(tables), gpus)
    except (TopologyError, ValidationError):
        return None


@st.composite
def plant_scenarios(
    draw: st.DrawFn,
    plant: tuple[str, ...] = PLANT,
    others: tuple[str, ...] = OTHERS,
    most: int = 200,
    surely: tuple[str, ...] = (),
) -> Scenario:
    """Draw a scenario of 16 to 200 GPUs whose plant has some of these features, or all of them, and ``surely`` those.

    Storage gateways, which jobs load from and write to, are only drawn ``surely``.
    """
    has = set(plant)
    if draw(st.sampled_from([True, True, False])):
        has = draw(st.sets(st.sampled_from(plant), min_size=min(3, len(plant))))
    few = draw(st.sampled_from([0, 2, 4, 8, 12])) if others else 0
    has |= draw(st.sets(st.sampled_from(others), min_size=min(few, len(others)), max_size=few)) if few else set()
    has |= set(surely)
    has |= {"fabric"} if has & {"homes", "spine", "core", "comm"} else set()
    has |= {"spine"} if "core" in has else set()
    has |= {"power"} if has & {"feed", "busways", "site"} else set()
    has -= {"in_rack"} if "energisation" in has else set()
    node, per_rack = draw(st.sampled_from(SHAPES))
    rack = node * per_rack
    nodes = draw(st.integers(-(-16 // node), draw(st.sampled_from([48, 48, 64, 96, most])) // node))
    gpus, held = nodes * node, 0
    if "in_rack" in has:
        gpus, held = -(-gpus // rack) * rack, draw(st.integers(1, min(2, rack - 1)))
    unit = draw(st.sampled_from([1, 1, 1, 7, 60_000]))  # coarse units draw longer stretches, 1 ms draws ties
    builder = Plant(draw, has, unit, draw(st.integers(20, 200)), gpus, node, per_rack)
    tables = builder.topology()
    topology = made(tables, gpus)
    if topology is None:  # sizes that differ may end too early
        has -= {"spine", "core"}
        tables["fabric"] = builder.fabric()
        topology = made(tables, gpus)
        assert topology is not None
    jobs, left = builder.jobs(gpus - held * topology.racks)
    for job in jobs if "comm" in has else ():
        job["comm"] = builder.one("0 %", "10 %", "33 %", "50 %")
    for job in jobs if "storage" in has else ():
        if builder.one(True, True, True, False):
            job["storage"] = builder.use(job["recovery"])
    crews = builder.number(1, 3)
    kinds = [kind for kind in topology.kinds if kind in PARTS]
    served = [builder.one(*kinds) for _ in range(builder.number(1, 3))] if kinds else []
    hazards = [
        builder.served_hazard(f"served {number}", kind, topology.components(kind), crews)
        for number, kind in enumerate(served)
    ]
    hazards += [builder.hazard(f"hazard {number}", crews) for number in range(builder.number(0 if hazards else 1, 2))]
    cluster: dict[str, Any] = {"gpus": gpus, "topology": tables}
    cluster |= {"in_rack_spares": held} if held else {"spares": builder.number(0, left)}
    grid = "power" in tables and bool(tables["power"].get("site", {}).get("feeds"))
    return Scenario.model_validate(
        {
            "name": "random",
            "horizon": text(unit * builder.horizon),
            "seed": builder.number(0, 10_000),
            "cluster": cluster,
            "jobs": jobs,
            "hazards": hazards,
            "maintenance": builder.planned(kinds) if "served-maintenance" in has and kinds else [],
            "energisation": builder.phases(topology, grid) if "energisation" in has else [],
        }
    )
