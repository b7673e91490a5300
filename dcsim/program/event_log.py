"""The event log: what happened, to whom, why and where; in columns, because rows of dicts cost five times as much."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import STATES
from dcsim.program import records
from dcsim.scenario import Plan

SCHEMA: tuple[tuple[str, str, str, str], ...] = (
    ("start_ms", "int64", "ms", "begin of a phase, a repair or a transfer; of an event, when it happened"),
    ("end_ms", "int64", "ms", "its end; the same as the begin for an event"),
    ("what", "text", "", "'phase': time that is booked; 'rollback': time that is booked anew; else as in WHAT"),
    ("owner", "text", "", "row of the ledger: a job's name, 'spares' or 'rest'; empty: none, or several"),
    ("gang", "int32", "", "gang, counted over all jobs; -1: none, or several"),
    ("why", "text", "", "hazard, maintenance or phase of energisation; 'shrunk': no use in this shape; empty: none"),
    ("where", "int64", "", "index of the component, of its kind; -1: a slot, or nowhere"),
    ("phase", "text", "", "ledger state that the time is booked to, 'running' before its split; else see WHAT"),
    ("gpus", "int64", "GPU", "GPUs that the row is about"),
    ("gpu_ms", "int64", "GPU-ms", "time booked; negative where a rollback takes it away; 0 where none is"),
    ("speed_ppb", "int64", "1e-9", "share of full speed: of running time, of a transfer, of a component that is out"),
    ("kind", "text", "", "kind of component that 'where' counts: gpu, node, shelf, ...; empty: none"),
    ("crews", "text", "", "crews that a repair is with, or queues for; empty: none"),
    ("failure", "int64", "", "failure that the row follows from, numbered in the order of their onset; -1: none"),
)
"""Column, type, unit and meaning. The ledger follows from the log: sum ``gpu_ms`` by owner and phase. Of ``running``,
floor(sum of gpu_ms * speed_ppb / 1e9) by gang is the work; floor of that times the strategy's useful share is useful,
the rest overhead. What a gang stalls for (``why``) is the first cause since it last ran.

The rows ``running`` and ``checkpoint`` of one stretch of a gang all span the whole stretch: ``gpu_ms`` says how much of
it was computing, at which speed one after the other, and how much was writing."""

WHAT = {
    "phase": "time that is booked",
    "rollback": "time that is booked anew",
    "failure": "a component fails, a software dies, a result goes wrong; one row for each failure that counts",
    "strike": "a failure takes GPUs from a gang, or from the free ones, or stops a gang (0 GPUs)",
    "identify": "what struck a gang is found",
    "corrupt": "a gang computes wrong results from now on",
    "start": "a gang starts, or starts again",
    "drain": "a gang stops for maintenance",
    "finish": "a gang's work is done",
    "place": "from now on these GPUs, 'where' and the ones that follow it, are with owner and gang; with a phase, they "
    "are out of service in this state, and were theirs. Only where GPUs have places",
    "queue": "a repair waits for a crew, for its shift or for a visit",
    "work": "a repair is in one of its stages, with a crew if there are any; the time between shifts included",
    "test": "what is repaired is tested",
    "replace": "what is retired waits for a new component",
    "load": "a gang reads its state through the storage gateways",
    "write": "a gang writes a checkpoint through the storage gateways, and is blocked by it",
    "out": "a part of the plant fails or is taken out ('speed_ppb' of it is left); of kind phase: racks without power",
    "back": "it is back",
    "stop": "a gang stops to write a checkpoint, or to move, before a failure that is announced or the end of its time",
    "check": "the members of a gang are checked before it starts",
}
"""Kinds of rows, in the order of their numbers in ``records``; only ``phase`` and ``rollback`` book time."""
STATE_NAMES = ("running", *STATES[1:], "")
"""Of a row's state: useful time is running before it is split; -1: none."""


class EventLog:
    """The log of one run, in columns by name."""

    SCHEMA = SCHEMA

    def __init__(self, plan: Plan, rows: NDArray[Any]) -> None:
        """Name what ``rows`` (records.LOG) say by numbers."""
        self._plan, self._rows = plan, rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name, all of one length: int64, or text (dtype object)."""
        return self._columns

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        rows, gangs = self._rows, len(self._plan.gangs)
        who, gpus = rows["who"], rows["gpus"]
        causes, kinds = _causes(self._plan)
        return {
            "start_ms": rows["start"].copy(),
            "end_ms": rows["end"].copy(),
            "what": _named(tuple(WHAT), rows["what"]),
            "owner": _named((*self._owners(), ""), who),
            "gang": np.where(who < gangs, who, -1),
            "why": _named((*causes, "shrunk", ""), rows["why"]),
            "where": rows["where"].copy(),
            "phase": _named(STATE_NAMES, rows["state"]),
            "gpus": gpus.copy(),
            "gpu_ms": rows["gpu_ms"].copy(),
            "speed_ppb": rows["speed"].copy(),
            "kind": self._kinds(kinds),
            "crews": self._crews(),
            "failure": rows["failure"].copy(),
        }

    def _owners(self) -> list[str]:
        """Return the owner of every gang, of the free GPUs and of the spares; see ``booking.book``."""
        *jobs, spares, rest = self._plan.owners
        return [*(jobs[gang.job] for gang in self._plan.gangs), rest, spares]

    def _kinds(self, kinds: list[str]) -> NDArray[Any]:
        found = _named(("", "", "gpu", "gateway"), self._rows["kind"])
        its = self._rows["kind"] == records.OF_CAUSE
        found[its] = _named((*kinds, "", ""), self._rows["why"][its])
        return found

    def _crews(self) -> NDArray[Any]:
        """Name the crews of repairs: by the stage's own name, or after the hazard."""
        what, hazards = self._rows["what"], self._plan.scenario.hazards
        found = np.full(len(what), "", dtype=object)
        busy = np.isin(what, (records.QUEUES, records.IS_WORKED_ON))
        names = [
            [stage.name or each.key + (f", stage {number}" if len(each.stages) > 1 else "") for number, stage in
             enumerate(each.stages, start=1)]
            for each in hazards
        ]  # fmt: skip
        pairs = zip(self._rows["why"][busy].tolist(), self._rows["stage"][busy].tolist(), strict=True)
        found[busy] = [names[hazard][stage] for hazard, stage in pairs]
        return found


def _named(names: tuple[str, ...], numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return the name behind every number; negative ones count from the end."""
    listed: NDArray[Any] = np.array(names, dtype=object)[numbers]
    return listed


def _causes(plan: Plan) -> tuple[list[str], list[str]]:
    """Return the name of every cause, and the kind of component that it is about."""
    scenario = plan.scenario
    phases = [phase.name for phase in scenario.energisation]
    names = [*(each.key for each in scenario.hazards), *(each.name for each in scenario.maintenance), *phases]
    about = [each.component for each in scenario.hazards] + [each.component for each in scenario.maintenance]
    return names, [*about, *("phase" for _ in phases)]
