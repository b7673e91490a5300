"""Strategies to put to the tests: every registered kind, and one that comes later in a file of its own."""

from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.program import records
from dcsim.program.tables import write_tiers
from dcsim.recovery import STRATEGIES, Recovery, Tier
from dcsim.recovery.keys import answer
from dcsim.recovery.timetable import Ms
from dcsim.rules import strategy as rules
from dcsim.units import Whole


class Shadowed(Recovery):
    """A kind unlike the shipped ones: its fast copies are of no use, every strike goes back to each ``times``-th."""

    rolls_back: ClassVar[bool] = True
    kind: Literal["shadowed"]
    times: Whole = 3

    @answer
    def tiers(self) -> tuple[Tier, ...]:
        """Two tiers, the slow one written for nothing."""
        return tuple(
            tier.model_copy(update={"every": tier.every * times, "write": tier.write // times})
            for times in (1, self.times)
            for tier in self.one_tier()
        )

    def level(self, struck: Ms, uncovered: Any) -> Ms:
        """Always the slow one."""
        return 1 + 0 * struck + 0 * uncovered


KINDS: dict[str, type[Recovery]] = {**STRATEGIES, "shadowed": Shadowed}


class Stretch:
    """What the rules say of a stretch of running of a job with this strategy [ms]."""

    def __init__(self, recovery: Recovery) -> None:
        self.tiers = range(len(recovery.tiers))
        lines = np.zeros((1, max(1, len(recovery.tiers))), dtype=records.TIER)
        write_tiers(recovery, 1, lines[0])
        self.world: Any = SimpleNamespace(
            jobs=[SimpleNamespace(tiers=len(recovery.tiers))], tiers=lines.view(np.recarray)
        )

    def blocked(self, run: int) -> int:
        """Writes in the first ``run`` ms."""
        return int(rules.blocked(self.world, 0, run))

    def durable(self, run: int) -> tuple[int, ...]:
        """Computing that is safe in each tier after ``run`` ms."""
        return tuple(int(rules.safe_in(self.world, 0, tier, run)) for tier in self.tiers)

    def settle(self, run: int) -> tuple[int, int, int]:
        """``run`` ms as what is saved in the best tier, what are writes, and what is computed but not safe."""
        saved, blocked = max(self.durable(run), default=0), self.blocked(run)
        return saved, blocked, run - saved - blocked

    def wall(self, work: int) -> int:
        """The least stretch in which ``work`` ms are computed."""
        return int(rules.wall(self.world, 0, work))


def text(ms: int) -> str:
    """Write milliseconds as a scenario file would."""
    return f"{ms // 1000}.{ms % 1000:03d} s"


@cache
def _schema(kind: str) -> dict[str, Any]:
    schema = KINDS[kind].model_json_schema()
    schema["properties"].pop("preset", None)  # no key of the kind itself
    return schema


def strategy(kind: str, every: int = 10, write: int = 4, **keys: Any) -> Recovery:
    """Return a strategy of a kind with the common times and what it requires; ``every`` and ``write`` in ms."""
    times = {"failover": text(3), "restore": text(5), "checkpoint_every": text(every), "checkpoint_write": text(write)}
    schema = _schema(kind)
    needed = {key: _least(schema["properties"][key], schema, every) for key in schema["required"] if key != "kind"}
    return KINDS[kind].model_validate({"kind": kind, **needed, **times, **keys})


def _least(node: dict[str, Any], schema: dict[str, Any], every: int) -> Any:
    """Return something plain for a required key: durations of one interval, one GPU, a list of one."""
    if "$ref" in node:
        table = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return {key: _least(table["properties"][key], schema, every) for key in table["required"]}
    if node.get("type") == "array":
        return [_least(node["items"], schema, every)]
    return 1 if node.get("type") == "integer" else text(every)


@st.composite
def tables(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw the keys of a strategy of a kind, as a scenario file would have them; times up to some tens of ms."""
    schema = _schema(kind)
    every = draw(st.integers(1, 30))

    def value(node: dict[str, Any], required: bool, index: int) -> Any:
        forms = node.get("anyOf", [node])
        form = next(form for form in forms if form.get("type") != "null")
        if "$ref" in form:
            return table(schema["$defs"][form["$ref"].rpartition("/")[2]], index)
        if form.get("type") == "array":
            entries = [value(form["items"], True, i) for i in range(draw(st.integers(1, 3)))]
            for entry in entries:
                if isinstance(entry, dict) and entry is not entries[-1]:
                    entry.setdefault("survives", 5 * entries.index(entry))
            if isinstance(entries[-1], dict):
                entries[-1].pop("survives", None)
            return entries
        if form.get("type") == "integer":
            return draw(st.integers(1, 4)) + 4 * index
        if "enum" in form:
            return draw(st.sampled_from(form["enum"]))
        if form.get("x-unit") == "ms":
            return text(every * 2**index if required else draw(st.integers(0, every)))
        return draw(st.sampled_from(["0 %", "5 %", "40 %"])) if "x-unit" in form else "x" * draw(st.integers(0, 3))

    def table(model: dict[str, Any], index: int) -> dict[str, Any]:
        required = set(model["required"])
        chosen = [key for key in model["properties"] if key in required or draw(st.booleans())]
        return {key: value(model["properties"][key], key in required, index) for key in chosen if key != "kind"}

    found = {**table(schema, 0), "kind": kind}
    if "checkpoint_every" in found or draw(st.booleans()):
        found["checkpoint_every"] = text(every)
    return found


@st.composite
def any_strategy(draw: st.DrawFn, kind: str) -> Recovery:
    """Draw a strategy of a kind that its own rules allow."""
    try:
        return KINDS[kind].model_validate(draw(tables(kind)))
    except ValidationError:
        assume(False)
        raise
