"""Outages that a site wrote down: what failed, when, for how long, read from any table into arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcsim.hostlist import HostlistError, expand
from dcsim.records.tables import Broken, RecordError, Table, opened
from dcsim.records.times import FORMS, Moments, Order, is_open
from dcsim.records.where import Condition, text_of
from dcsim.wording import did_you_mean, shown

Values = NDArray[np.float64]

ROLES: Mapping[str, tuple[str, ...]] = {
    "start": (
        "start",
        "started",
        "prob started",
        "begin",
        "began",
        "down",
        "failed",
        "failed_at",
        "time_start",
        "opened",
    ),
    "end": ("end", "ended", "prob fixed", "fixed", "repaired", "up", "resolved", "resolved_at", "time_end", "closed"),
    "start_h": ("start_h", "hour"),
    "repair_h": ("repair_h", "repair hours", "downtime_h", "duration_h"),
    "repair_min": ("repair_min", "down time", "downtime_min", "duration_min"),
    "component": ("component", "node", "host", "hostname", "nodename", "node_name", "nodelist", "nodenumz", "server"),
    "kind": ("class", "cause", "category", "kind", "type"),
}
"""What a column may hold, and names by which it is known without being told, in any case."""
MOST_NAMES = 4_096
"""Components that one cell may name; source: assumed."""


@dataclass(frozen=True, eq=False)
class Outages:
    """Outages by time: ``start_h`` and ``end_h`` [h from ``begin``], float64 (n,); NaN where one is still open.

    ``component``, ``kind``: int64 (n,), indices into ``components`` and ``kinds``, which are sorted by first sight.
    ``span_h``: from ``begin`` to the last moment in the file. ``begin``: [s since 1970], None for a file of hours.
    ``told``: how the file was read, in sentences; ``broken``: lines that were not.

    What only some forms tell: ``noticed_h`` [h from ``begin``], float64 (n,), when somebody or something noticed it,
    NaN where that is not told; ``units``: components in service, those that never failed included; ``unit_h``: the
    hours that all of them were in service, where they come and go. ``ends_told``: False where the form tells no end at
    all, so that a NaN in ``end_h`` says nothing of how long a repair took.
    """

    start_h: Values
    end_h: Values
    component: NDArray[np.int64]
    components: tuple[str, ...]
    kind: NDArray[np.int64]
    kinds: tuple[str, ...]
    begin: float | None
    span_h: float
    rows: int
    told: tuple[str, ...]
    broken: Broken = field(default_factory=Broken)
    noticed_h: Values | None = None
    units: int | None = None
    unit_h: float | None = None
    ends_told: bool = True

    def __len__(self) -> int:
        """Return the number of outages; a row that names two components is two."""
        return len(self.start_h)

    @property
    def repair_h(self) -> Values:
        """How long each repair took [h]; NaN where it is still open."""
        return np.asarray(self.end_h - self.start_h)

    def of_kind(self, number: int) -> "Outages":
        """Return the outages of one kind; the components stay those of the whole file."""
        rows = self.kind == number
        return replace(
            self,
            start_h=self.start_h[rows],
            end_h=self.end_h[rows],
            component=self.component[rows],
            kind=self.kind[rows],
            noticed_h=None if self.noticed_h is None else self.noticed_h[rows],
        )


def roles_of(table: Table, said: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return which columns hold what: as ``said`` (role -> columns, joined by "+"), the rest by their names.

    Raises RecordError for a column that is not there, for none that says when an outage began, and for two ways of
    saying how long it took.
    """
    found: dict[str, tuple[str, ...]] = {}
    for role, columns in said.items():
        if role not in ROLES:
            raise RecordError(
                f"columns: found {shown(role)}; allowed: {', '.join(ROLES)}{did_you_mean(role, list(ROLES))}"
            )
        found[role] = tuple(each.strip() for each in columns.split("+"))
        for name in found[role]:
            if name not in table.header:
                hint = did_you_mean(name, list(table.header))
                raise RecordError(f"has no column {shown(name)}; found: {', '.join(table.header[:12])}{hint}")
    taken = {name for names in found.values() for name in names}
    lower = {name.lower(): name for name in reversed(table.header)}
    for role, names in ROLES.items():
        known = next((lower[name] for name in names if name in lower and lower[name] not in taken), None)
        if role not in found and known is not None:
            found[role] = (known,)
            taken.add(known)
    if "start" in found and "start" not in said and "start_h" in said:
        del found["start"]
    if "start" in found:
        found.pop("start_h", None)
    if not found.keys() & {"start", "start_h"}:
        raise RecordError(
            f"has no column that says when an outage began; found: {', '.join(table.header[:12])}; "
            'say which: columns start="NAME"'
        )
    ends = [role for role in ("end", "repair_h", "repair_min") if role in found]
    if "start_h" in found:
        ends = [role for role in ends if role != "end"]
        found.pop("end", None)
    for role in [each for each in ends if each not in said][1 if not set(ends) & set(said) else 0 :]:
        del found[role]
    return found


def read_outages(
    path: Path,
    columns: Mapping[str, str] | None = None,
    where: Sequence[str] = (),
    dates: Order | None = None,
) -> Outages:
    """Read a file of outages in two passes, each a stream; raises RecordError.

    ``columns``: role -> column, or several joined by "+", whose texts together name a component. ``where``: conditions
    that rows must meet. ``dates``: whether day or month comes first, where the file does not tell.
    """
    table = opened(path)
    roles = roles_of(table, columns or {})
    index = {name: number for number, name in enumerate(table.header)}
    conditions = [(index[each.column], each.holds) for each in (Condition.of(one, table.header) for one in where)]
    first_role = "start" if "start" in roles else "start_h"
    moments = Moments(roles[first_role][0], order=dates)
    stamps = [index[roles[role][0]] for role in ("start", "end") if role in roles]
    if first_role == "start":
        for _, values in table.rows(Broken()):
            for column in stamps:
                try:
                    moments.learn(values[column])
                except ValueError:
                    continue  # said in the second pass
        moments.settle()
    broken = Broken()
    starts, ends, whose, what = [], [], [], []
    components: dict[str, int] = {}
    kinds: dict[str, int] = {}
    rows = 0
    last = -np.inf

    for place, values in table.rows(broken):
        if not all(holds(text_of(values[column])) for column, holds in conditions):
            continue
        rows += 1
        try:
            start = _start(values[index[roles[first_role][0]]], first_role, moments)
            end = _end(values, roles, index, moments, start)
        except ValueError as error:
            broken.add(place, f"no moment or time; allowed: {FORMS}", str(error))
            continue
        if start is None:
            broken.add(place, "no beginning")
            continue
        if end < start:
            broken.add(place, "ends before it starts")
            continue
        last = max(last, start, end if end == end else start)
        kind = text_of(values[index[roles["kind"][0]]]) if "kind" in roles else ""
        try:
            names = _names([values[index[name]] for name in roles.get("component", ())])
        except HostlistError as error:
            broken.add(place, f"names no component: {error}")
            continue
        for name in names:
            starts.append(start)
            ends.append(end)
            whose.append(components.setdefault(name, len(components)))
            what.append(kinds.setdefault(kind, len(kinds)))
    if not starts:
        why = "; ".join(broken.told()[:3])
        raise RecordError(
            "holds no outage" + (" that meets the conditions" if where else "") + (f"; {why}" if why else "")
        )
    order = np.argsort(np.array(starts), kind="stable")
    begin = float(np.min(starts)) if first_role == "start" else 0.0
    scale = 3600.0
    named = ", ".join(f"{role} from {' + '.join(names)}" for role, names in roles.items())
    told = [f"{table.told}; {named}"]
    if moments.order is not None:
        told.append(f"dates have the {moments.order}")
    return Outages(
        (np.array(starts)[order] - begin) / scale,
        (np.array(ends)[order] - begin) / scale,
        np.array(whose, dtype=np.int64)[order],
        tuple(components),
        np.array(what, dtype=np.int64)[order],
        tuple(kinds),
        begin if first_role == "start" else None,
        (last - begin) / scale,
        rows,
        tuple(told),
        broken,
    )


def _start(value: object, role: str, moments: Moments) -> float | None:
    if role == "start":
        return moments.read(value)
    return None if is_open(value) else _positive(value) * 3600


def _end(
    values: Sequence[object],
    roles: Mapping[str, tuple[str, ...]],
    index: Mapping[str, int],
    moments: Moments,
    start: float | None,
) -> float:
    """Return when it ended [s]; NaN where that is open or not told."""
    for role, factor in (("end", 0.0), ("repair_h", 3600.0), ("repair_min", 60.0)):
        if role in roles:
            value = values[index[roles[role][0]]]
            if is_open(value) or start is None:
                return float("nan")
            if role == "end":
                found = moments.read(value)
                return float("nan") if found is None else found
            return start + factor * _positive(value)
    return float("nan")


def _positive(value: object) -> float:
    found = float(value)  # type: ignore[arg-type]
    if not 0 <= found <= 1e9:
        raise ValueError(value)
    return found


def _names(cells: Sequence[object]) -> tuple[str, ...]:
    """Return the components that a row names: those of a host list, or one whose name is made of several cells."""
    if not cells:
        return ("",)
    texts = [text_of(cell) for cell in cells]
    if not all(texts):
        raise HostlistError("the cell is empty")
    if len(texts) > 1 or not any(sign in texts[0] for sign in "[],"):
        return ("/".join(texts),)
    return expand(texts[0].replace(", ", ","), MOST_NAMES)
