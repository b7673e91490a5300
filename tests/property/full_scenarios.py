"""Random scenarios of everything that a simulation knows: tiny clusters, times of a few ms, so that all of it collides.

Each scenario has some of the features of ``FEATURES``, alone or together; what is not chosen stays as in step 1.
"""

from typing import Any

from hypothesis import strategies as st

from dcsim.scenario import Scenario
from tests.property.repair_scenarios import RepairBuilder
from tests.property.scenarios import PARTS, text

FEATURES = (
    "age",
    "trace",
    "burst",
    "lemons",
    "kill",
    "straggle",
    "degrade",
    "corrupt",
    "wrong",
    "stages",
    "shifts",
    "visits",
    "returns",
    "exposure",
    "work",
    "maintenance",
    "checks",
    "in_rack",
    "async-checkpoint",
    "tiered-checkpoint",
    "checkpointless",
    "elastic",
    "stateless",
    "coverage",
    "bad",
    "failing",
    "notice",
    "covered",
    "limit",
    "after",
    "on_spares",
    "preflight",
    "tests",
    "burn_in",
)
EFFECTS = ("kill", "straggle", "degrade", "corrupt")
KINDS = ("async-checkpoint", "tiered-checkpoint", "checkpointless", "elastic", "stateless")


class Builder(RepairBuilder):
    """What one scenario draws from."""

    # --- jobs

    def recovery(self, size: int) -> dict[str, Any]:
        """Draw a strategy for a gang of this size."""
        kinds = [kind for kind in KINDS if kind in self.has]
        kind = self.one(*(kinds * 2), "checkpoint-restart", "fault-tolerant")
        keys: dict[str, Any] = {"kind": kind, "failover": self.duration(5)}
        if kind != "tiered-checkpoint":
            keys["restore"] = self.duration(5)
        keys["spare"] = "hot" if "in_rack" in self.has else self.one("hot", "hot", "hot", "cold")
        keys["network_overhead"], keys["memory_overhead"] = self.one(("0 %", "0 %"), ("5 %", "0 %"), ("3.3 %", "1.7 %"))
        if "failing" in self.has:
            keys["restore_success"] = self.one("100 %", "60 %")
            keys["restore_per_doubling"], keys["restore_gpus"] = self.duration(3), self.number(1, 4)
        kept = kind in ("fault-tolerant", "checkpointless", "elastic")
        if kept and self.chance("coverage"):
            keys["coverage"] = self.one("0 %", "50 %", "80 %")
        if kind == "checkpointless" and self.one(True, False):
            keys["survives"] = self.number(0, 3)
        writes = not kept or "coverage" in keys or "survives" in keys or self.one(True, False)
        writes = writes or bool(self.has & {"corrupt", "covered", "limit"})
        if kind == "tiered-checkpoint":
            keys["tiers"] = self.tiers()
        elif kind != "stateless" and writes:
            every = self.number(1, self.one(4, 20))
            keys["checkpoint_every"] = text(self.unit * every)
            keys["checkpoint_write"] = self.duration(self.one(0, 3))
            if kind == "async-checkpoint":
                keys["checkpoint_drain"] = self.duration(every)
        if "bad" in self.has and (not kept or "coverage" in keys or "survives" in keys) and kind != "stateless":
            keys["bad_checkpoint"] = self.one("0 %", "50 %")
        if kind == "elastic":
            keys |= self.shapes(size)
        return keys

    def tiers(self) -> list[dict[str, Any]]:
        """Draw one to three tiers."""
        count, every, survives, tiers = self.number(1, 3), self.number(1, 6), 0, []
        for number in range(count):
            tier: dict[str, Any] = {"name": f"tier {number}", "every": text(self.unit * every)}
            tier |= {"write": self.duration(2), "drain": self.duration(every), "restore": self.duration(5)}
            if number < count - 1:
                survives += self.number(0, 2)
                tier["survives"] = survives
            every *= self.number(1, 3)
            tiers.append(tier)
        return tiers

    def shapes(self, size: int) -> dict[str, Any]:
        """Draw the keys of an elastic gang."""
        group = self.one(*[each for each in range(1, size + 1) if size % each == 0])
        keys: dict[str, Any] = {"group": group, "step": self.duration(self.one(0, 4))}
        if self.one(True, False):
            keys["rejoin"] = self.duration(4)
        if self.one(True, False, False):
            keys["shapes"] = sorted(self.draw(st.sets(st.integers(1, size // group))) | {size // group})
        return keys

    def jobs(self, seats: int) -> tuple[list[dict[str, Any]], int]:
        """Draw jobs on some of the seats; return them and the seats that are left."""
        jobs: list[dict[str, Any]] = []
        in_rack = "in_rack" in self.has
        number_of_jobs = self.one(1, 2, 3)
        for number in range(number_of_jobs):
            if seats == 0:
                break
            last = number == number_of_jobs - 1
            size = self.number(1, max(1, seats // 2)) if not last else self.number(max(1, seats * 2 // 3), seats)
            count = self.number(1, min(3, seats // size))
            seats -= size * count
            job: dict[str, Any] = {"name": f"job {number}", "gpus": size, "count": count}
            if not in_rack:
                job["priority"] = self.number(0, 2)
                job["submit"] = text(self.unit * self.one(0, 0, 0, 1, self.horizon // 3))
            if self.chance("work") or (not last and self.chance("after")):
                job["work"] = f"{self.unit * size * self.number(1, self.horizon) / 1000:.3f} GPU-s"
            job["recovery"] = self.recovery(size)
            before = [each for each in jobs if "work" in each and each["name"] not in {x.get("after") for x in jobs}]
            if before and not in_rack and self.chance("after"):
                first = self.one(*before)
                job["after"] = first["name"]
                if size * count <= first["gpus"] * first["count"] and self.one(True, False):
                    self.shares, seats = True, seats + size * count
            if self.chance("limit"):
                job["time_limit"] = text(self.saves(job["recovery"]) + self.unit * self.number(1, self.horizon // 2))
                job["requeue"] = self.spread(8)
            if self.chance("preflight"):
                job["preflight"] = self.preflight()
            jobs.append(job)
        return jobs, seats

    def preflight(self) -> dict[str, Any]:
        """Draw a check before each start."""
        found: dict[str, Any] = {"time": self.duration(4, 1), "finds": self.one("0 %", "50 %", "100 %")}
        if self.one(True, False):
            found |= {"false_alarms": self.one("5 %", "40 %"), "retest": self.duration(12, 1)}
        return found

    def saves(self, recovery: dict[str, Any]) -> int:
        """Ms that a checkpoint of a strategy takes, drained."""
        last = recovery["tiers"][-1] if "tiers" in recovery else recovery
        keys = ("write", "drain") if "tiers" in recovery else ("checkpoint_write", "checkpoint_drain")
        return sum(round(1000 * float(last.get(key, "0 s").split()[0])) for key in keys)

    # --- hazards

    def record_clock(self) -> dict[str, Any]:
        """Draw how long a record is, how it begins and whether it repeats; ``last``: its last failure at the latest."""
        repeat = self.one(True, False)
        span = self.number(self.horizon // 3, self.horizon) if repeat else self.horizon + self.number(0, 5)
        clock = {"span": text(self.unit * span), "start": self.one("fixed", "random"), "repeat": repeat}
        return clock | {"last": span - 1}

    def lifetime(self, mean: str, components: int) -> Any:
        """Draw the law of a component's life."""
        if self.chance("trace"):
            trace: dict[str, Any] = {"kind": "trace"}
            if self.one(True, False):
                self.record = self.record or {"record": "log", **self.record_clock()}
                trace |= self.record
            else:
                trace |= self.record_clock()
            count, last = self.number(1, 8), trace.pop("last")
            trace["at"] = [self.duration(last) for _ in range(count)]
            if self.one(True, False):
                trace["component"] = [self.number(0, 2 * components) for _ in range(count)]
            if self.one(True, False):
                trace["repair"] = [self.duration(15) for _ in range(count)]
            return trace
        exponential = {"kind": "exponential", "mean": mean}
        if not self.chance("age"):
            return self.one(mean, exponential)
        weibull = {"kind": "weibull", "mean": mean, "shape": self.one(0.7, 3.0)}
        mixed = [{"share": "40 %", "life": weibull}, {"share": "60 %", "life": exponential}]
        return self.one(
            weibull,
            {"kind": "lognormal", "mean": mean, "sigma": 1.0},
            {"kind": "empirical", "values": [mean, self.duration(20, 1), text(self.unit * self.horizon * 3)]},
            {"kind": "mixture", "parts": mixed},
        )

    def hazard(self, name: str, crews: int) -> dict[str, Any]:
        """Draw a hazard."""
        kind = self.one(0, 0, 1, 2)
        components = -(-self.gpus // (1, self.node, self.node * self.per_rack)[kind])
        mean = text(max(1, self.unit * self.horizon * components // self.one(2, 5, 12, 25)))
        effect = self.one(
            "interrupt", *[each for each in ("kill", "straggle", "degrade", "corrupt") if each in self.has]
        )
        life = self.lifetime(mean, components)
        law = life["kind"] if isinstance(life, dict) else "exponential"
        found: dict[str, Any] = {"name": name, "component": PARTS[kind], "effect": effect, "mtbf": life}
        found["detect"] = self.spread(self.one(1, 6))
        if "checks" in self.has and effect in ("straggle", "degrade", "corrupt"):  # so that checks find something
            found["detect"] = self.duration(3 * self.horizon, self.horizon // 2)
        if law not in ("exponential", "trace") and self.one(True, False):
            found["age"] = self.duration(self.horizon // 2)
            if law == "empirical":
                found["age"] = self.duration(19)
        blast = self.one("derived", "part", *(() if self.shares else ("number", "number")))
        if blast == "part":
            found["blast"] = PARTS[self.number(kind, 2)]
        elif blast == "number":
            found["blast"] = self.number(1, min(self.gpus, self.one(2, 8)))
        if effect in ("straggle", "degrade"):
            found["keeps"] = self.one("50 %", "90 %", "33.3 %")
        if effect == "interrupt" and self.chance("wrong"):
            found["wrong_node"] = self.one("30 %", "70 %")
        if self.chance("exposure"):
            found["exposure"] = "running"
        if law == "exponential" and self.chance("burst"):
            found["burst"] = {"size": self.one(1.0, 2.5), "within": self.duration(8)}
        if law != "trace" and self.chance("lemons"):
            found["lemons"] = self.lemons(effect)
        if self.chance("covered"):
            found["coverage"] = self.one("0 %", "50 %", "80 %")
        simple = effect in ("interrupt", "kill") and law in ("exponential", "trace") and "lemons" not in found
        if simple and self.chance("notice"):
            found |= self.notice()
            if blast == "number":
                found["blast"] = PARTS[self.number(kind, 2)]
        recorded = law == "trace" and "repair" in life
        found["repair"] = self.repair(crews, recorded)
        if "stages" in self.has:
            found["requalify"] = self.duration(self.one(0, 5))
        if self.chance("burn_in") and effect != "kill":
            found |= self.burnt_in(life)
        if self.chance("tests") and not recorded and effect != "kill":
            found |= {"requalify": self.duration(3, 1), "requalify_finds": self.one("30 %", "80 %")}
            for stage in found["repair"] if isinstance(found["repair"], list) else [found["repair"]]:
                stage["silent"] = self.one("40 %", "90 %", "0 %")
        if self.chance("returns"):
            found["returns"] = "job"
        return found

    def burnt_in(self, life: Any) -> dict[str, str]:
        """Draw a burn-in after repair that half of the parts outlive."""
        law = life["kind"] if isinstance(life, dict) else "exponential"
        whole = law in ("exponential", "trace")
        mean = life["mean"] if isinstance(life, dict) and law in ("weibull", "lognormal") else "0 s"
        short = round(1000 * float(mean.split()[0])) // self.unit // 8
        return {"burn_in": self.duration(6 if whole else max(0, min(6, short)))}

    def notice(self) -> dict[str, Any]:
        """Draw how failures are announced."""
        notice = self.number(1, self.one(4, 20))
        found = {"notice": text(self.unit * notice), "noticed": self.one("100 %", "50 %")}
        if "in_rack" not in self.has and self.one(True, True, False):
            found["evacuate"] = self.duration(notice)
        return found

    def maintenance(self) -> list[dict[str, Any]]:
        """Draw planned work."""
        found = []
        for number in range(self.number(1, 2)):
            drain, duration, retest = self.number(0, 6), self.number(1, 10), 0
            each: dict[str, Any] = {"name": f"work {number}", "component": self.one(*PARTS)}
            each |= {"drain": text(self.unit * drain), "duration": text(self.unit * duration)}
            if self.one(True, False):
                each["first"] = self.duration(self.horizon // 3)
            checks = self.chance("checks")
            if checks and not any("finds" in other for other in found):
                each["finds"] = self.one("100 %", "50 %", "20 %")
            if checks and self.one(True, False):
                retest = self.number(1, 8)
                each |= {"false_alarms": self.one("30 %", "80 %"), "retest": text(self.unit * retest)}
            gap = self.number(1, self.horizon // self.one(1, 5 if checks else 1))
            each["every"] = text(self.unit * (drain + duration + retest + gap))
            each["rolling"] = self.one(True, False)
            found.append(each)
        return found


@st.composite
def full_scenarios(draw: st.DrawFn, features: tuple[str, ...] = FEATURES) -> Scenario:
    """Draw a scenario of 4 to 40 GPUs with some of these features or all of them, and some tens of failures."""
    few = draw(st.sampled_from([1, 1, 2, 3, 5, 8, None]))
    has = set(features)
    if few is not None and few < len(features):
        has = draw(st.sets(st.sampled_from(features), min_size=few, max_size=few))
    elif draw(st.booleans()):
        has.discard("in_rack")  # it forbids priorities and late jobs
    node, per_rack = draw(st.sampled_from([(4, 2), (8, 1), (2, 3), (3, 2), (1, 5), (2, 2)]))
    rack = node * per_rack
    if "in_rack" in has and rack > 1:
        gpus, held = rack * draw(st.integers(1, 4)), draw(st.integers(1, min(2, rack - 1)))
    else:
        has.discard("in_rack")
        gpus, held = node * draw(st.integers(-(-4 // node), draw(st.sampled_from([12, 12, 24])) // node + 1)), 0
    unit = draw(st.sampled_from([1, 1, 1, 1, 7, 60_000]))  # coarse units draw longer stretches, 1 ms draws ties
    if has & {"shifts", "visits"}:
        unit = 60_000  # the minutes of a week
    builder = Builder(draw, has, unit, draw(st.integers(20, 200)), gpus, node, per_rack)
    jobs, left = builder.jobs(gpus - held * -(-gpus // rack))
    crews = builder.number(1, 3)
    cluster: dict[str, Any] = {"gpus": gpus}
    if builder.chance("burn_in"):
        cluster["burn_in"] = builder.duration(3)
    shape = {"node": {"gpus": node}, "rack": {"nodes": per_rack}, "nvlink": {"domain": "node"}}
    cluster["topology"] = {"name": "small", "description": "", **shape}
    if held:
        cluster["in_rack_spares"] = held
    else:
        cluster["spares"] = builder.number(0, left)
        if len(jobs) > 1 and "after" not in jobs[-1] and builder.chance("on_spares"):
            cluster["spares_run"] = jobs[-1]["name"]
            cluster["spares"] += jobs[-1]["gpus"] * jobs[-1]["count"]
            jobs[-1]["priority"] = 0
    return Scenario.model_validate(
        {
            "name": "random",
            "horizon": text(unit * builder.horizon),
            "starts": builder.one("mon", "mon", "sun 23:00", "mon 0:20") if unit == 60_000 else "mon",
            "seed": builder.number(0, 10_000),
            "cluster": cluster,
            "jobs": jobs,
            "hazards": [builder.hazard(f"hazard {number}", crews) for number in range(builder.number(1, 3))],
            "maintenance": builder.maintenance() if has & {"maintenance", "checks"} else [],
        }
    )
