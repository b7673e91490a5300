"""Random repairs: stages, those who do them and when, and what leaves for good; all times are multiples of a unit."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.property.scenarios import text


@dataclass
class RepairBuilder:
    """What one scenario draws from, and how it draws repairs."""

    draw: st.DrawFn
    has: set[str]
    unit: int
    horizon: int
    gpus: int
    node: int
    per_rack: int
    people: dict[str, Any] = field(default_factory=dict)  # keys of the shared crews
    record: dict[str, Any] | None = None
    shares: bool = False  # whether a job takes the place of the one before it, so that no failure may strike a slot

    def number(self, least: int, most: int) -> int:
        """Draw a whole number."""
        return self.draw(st.integers(least, most))

    def one(self, *values: Any) -> Any:
        """Draw one of some values."""
        return self.draw(st.sampled_from(values))

    def chance(self, feature: str) -> bool:
        """Draw whether a feature that the scenario has is used here."""
        return feature in self.has and self.one(True, True, False)

    def duration(self, most: int, least: int = 0) -> str:
        """Draw a duration."""
        return text(self.unit * self.number(least, most))

    # --- repairs

    def spread(self, most: int) -> Any:
        """Draw a time, fixed or with a distribution."""
        mean = self.duration(most, 1)
        laws = [{"kind": "exponential", "mean": mean}, {"kind": "empirical", "values": [text(0), mean]}]
        return self.one(mean, self.duration(most), *laws, {"kind": "lognormal", "mean": mean, "sigma": 1.0})

    def lemons(self, effect: str) -> dict[str, Any]:
        """Draw lemons, retired or not."""
        lemons: dict[str, Any] = {"fraction": self.one("20 %", "60 %"), "factor": self.one(1.0, 2.5, 5.0)}
        if effect not in ("kill", "degrade") and self.one(True, True, False):
            lemons |= {"retire_after": self.number(1, 3), "window": self.duration(self.horizon, 1)}
            if self.one(True, True, False):
                lemons["replace"] = self.duration(20)
        if self.one(True, False):
            lemons["cured_by"] = "repair"
        return lemons

    def repair(self, crews: int, recorded: bool) -> Any:
        """Draw a repair of one or more stages."""
        stages: list[dict[str, Any]] = []
        for _ in range(self.number(1, 3) if "stages" in self.has and not recorded else 1):
            stage: dict[str, Any] = {"time": self.spread(12)}
            if pool := self.one(None, "own", "shared"):
                stage["crews"] = crews if pool == "shared" else self.number(1, 2)
            if pool == "shared":
                self.people = self.people or self.when({"crews": crews})
                stage |= {"name": "technician"} | self.people
                del stage["crews"]
                stage |= self.people
            else:
                stage = self.when(stage)
            if "stages" in self.has:
                stage["silent"] = self.one("0 %", "40 %", "100 %")
                if not recorded:
                    stage["success"] = self.one("100 %", "60 %")
            stages.append(stage)
        return stages if len(stages) > 1 else stages[0]

    def when(self, stage: dict[str, Any]) -> dict[str, Any]:
        """Draw when those of a stage work; a visit has no crews."""
        if self.chance("visits"):
            stage = {key: value for key, value in stage.items() if key != "crews"}
            keys = self.one(("visits",), ("visit_when",), ("visit_after",), ("visits", "visit_when", "visit_after"))
            keys = self.one(keys, ("visit_when", "visit_after"))
            values = {"visit_when": self.number(1, 4), "visit_after": self.duration(15)}
            every = ("", "", "every second ", "every 3 weeks on ")
            values["visits"] = ", ".join(f"{self.one(*every)}mon {self.clock()}" for _ in range(self.number(1, 6)))
            stage |= {key: values[key] for key in keys}
        elif self.chance("shifts"):
            times = sorted({self.number(0, self.horizon) for _ in range(2 * self.number(1, 4))})
            stage["shifts"] = (
                ", ".join(
                    f"mon {a // 60}:{a % 60:02}-{b // 60}:{b % 60:02}"
                    for a, b in zip(times[::2], times[1::2], strict=False)
                )
                or "mon 0-1"
            )
            stage["at_shift_end"] = self.one("pause", "finish")
        return stage

    def clock(self) -> str:
        """Draw a time of day up to the horizon."""
        minutes = self.number(0, self.horizon)
        return f"{minutes // 60}:{minutes % 60:02}"
