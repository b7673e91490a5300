"""In what offers differ that are compared, prices left out, and how much each difference matters by closed forms."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel

from dcsim.decide.estimate import account_scenario, job_size, mode_of
from dcsim.decide.input_texts import ABSENT, as_texts, compact
from dcsim.decide.theory import gang_loss
from dcsim.scenario import Scenario
from dcsim.scenario.errors import dotted
from dcsim.scenario.plan import plan
from dcsim.topology import TopologyError
from dcsim.wording import printable

Group = Literal["assumption", "offer", "formula"]
GROUPS: tuple[Group, ...] = ("assumption", "offer", "formula")
"""What is assumed of failures, jobs and time; what is bought (cluster, recovery); what only the formula reads."""
PRESENT = "yes"
"""What stands for a job or hazard that others lack."""
MOST_NAMES = 4
"""Offers that are named beside a value; source: assumed, more make no sentence."""
MOST_EFFECTS = 20
"""Of differences that are alike, such as of thousands of jobs, how many are swapped; source: assumed, for speed."""
LABELS = {
    "mtbf": "MTBF",
    "detect": "detection",
    "requalify": "test after repair",
    "requalify_finds": "share of silent repairs found",
    "burn_in": "burn-in",
    "preflight": "check before a start",
    "blast": "GPUs lost per failure",
    "exposure": "when components can fail",
    "wrong_node": "share blamed on a wrong node",
    "age": "age at the start",
    "returns": "way back after repair",
    "keeps": "remaining speed",
    "count": "number of gangs",
    "submit": "submission",
    "comm": "communication",
    "kind": "strategy",
    "checkpoint_every": "checkpoint interval",
    "spare": "kind of spares",
    "in_rack_spares": "spares in each rack",
    "job_size": "GPUs charged per failure",
    "mode": "mode of the formula",
    "identify": "identify term of the formula",
    "uncertain": "inputs that are uncertain",
}
"""What an input is called in a sentence; others are called like their keys, ``gpus`` of a job "job size"."""

Apply = Callable[[Scenario, Any], Scenario]
"""Return the scenario with another value of one input."""


@dataclass(frozen=True)
class Difference:
    """One input that differs. ``values``: text with a unit for every scenario, in their order.

    ``key``: as ``--set`` takes it, by the names of the first scenario that has it. ``effect``: the largest change of a
    loss (fraction of GPU-hours), by the published formula or by exact theory of the first job, if the first scenario
    takes this one value of another one or the other way round; 0 where neither formula reads the input. ``unlike``: of
    a job or hazard that only some have, the keys in which these differ.
    """

    key: str
    label: str
    group: Group
    values: tuple[str, ...]
    effect: float
    unlike: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparedInput:
    """One input of all scenarios. ``values``: as the models hold them; ``write``: returns them as JSON holds them.

    ``apply``: for every scenario, what gives it another one's value.
    """

    path: tuple[str, ...]
    label: str
    owner: str | None
    group: Group
    values: tuple[Any, ...]
    write: Callable[[], Sequence[Any]]
    apply: tuple[Apply, ...]

    @property
    def differs(self) -> bool:
        """Whether some scenario has another value than the first."""
        return any(value != self.values[0] for value in self.values)

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as text with units; of an entry that some lack, whether it is there."""
        written = self.write()
        if all(isinstance(text, str) and text in (PRESENT, ABSENT) for text in written):
            return tuple(written)
        return as_texts(self.path[-1], self.values, written)

    @property
    def unlike(self) -> tuple[str, ...]:
        """What the keys are called in which entries differ that only some scenarios have."""
        if set(self.texts) != {PRESENT, ABSENT}:
            return ()
        first, *others = [each for each in self.values if each is not None]
        keys = [key for key in type(first).model_fields if key != "name"]
        differ = [key for key in keys if any(getattr(each, key, None) != getattr(first, key) for each in others)]
        return tuple(LABELS.get(key, key.replace("_", " ")) for key in differ)


def assumption_differences(scenarios: Sequence[Scenario]) -> tuple[Difference, ...]:
    """Return the inputs, prices left out, that differ between scenarios: by group, the one that matters most first.

    Jobs and hazards belong together by name; those left over in their order, hazards also by component.
    """
    differing = [each for each in inputs(scenarios) if each.differs]
    losses = [_losses(each) for each in scenarios] if differing else []
    merged: dict[tuple[str, tuple[str, ...]], Difference] = {}
    alike: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for each in differing:
        texts = each.texts
        alike[each.label, texts] += 1
        effect = _effect(scenarios, losses, each) if alike[each.label, texts] <= MOST_EFFECTS else 0.0
        named = f"{each.label} of {each.owner}" if each.owner else each.label
        found = Difference(dotted(each.path), named, each.group, texts, effect, each.unlike)
        known = merged.get((each.label, texts))
        if known is not None:  # two jobs that differ alike are one difference
            both = f"{known.label}, {each.owner}" if set(texts) == {PRESENT, ABSENT} else each.label
            found = replace(known, label=both, effect=max(known.effect, effect))
        merged[each.label, texts] = found
    return tuple(sorted(merged.values(), key=lambda each: (GROUPS.index(each.group), -each.effect)))


def difference_sentence(scenarios: Sequence[Scenario], differences: Sequence[Difference], most: int = 3) -> str | None:
    """Say in which assumptions the scenarios differ: the ``most`` that matter most; None if in none."""
    assumed = [each for each in differences if each.group == "assumption"]
    if not assumed:
        return None
    names = [printable(each.name) for each in scenarios]
    often = Counter(names)
    names = [name if often[name] == 1 else f"{name} ({number})" for number, name in enumerate(names, start=1)]
    if any("," in name for name in names):
        names = [f'"{name}"' for name in names]
    clauses, before = [], None
    for each in assumed[:most]:
        alike = tuple(each.values.index(value) for value in each.values)
        clauses.append(_clause(each, names, named=alike != before))
        before = alike
    more = f"; and {len(assumed) - most} more" if len(assumed) > most else ""
    meanings = {"MTBF": "MTBF (mean time between failures)"}
    labels = [
        meanings.get(each.label, each.label) for each in assumed[:most]
    ]  # named first: whoever reads one line knows what differs
    what = f"assumed {_names(labels)}" if len(labels) > 1 else "assumptions"
    return f"The offers differ in {what}: {'; '.join(clauses)}{more}."


def differences_json(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return the differences for a JSON document."""
    return [asdict(each) | {"values": list(each.values), "unlike": list(each.unlike)} for each in differences]


def _clause(each: Difference, names: Sequence[str], named: bool) -> str:
    """Write one difference: "MTBF 2 h at A and B, 1 h at C"; not ``named``: "detection 15 min against 1 h"."""
    by_value: dict[str, list[str]] = {}
    for value, name in zip(each.values, names, strict=True):
        by_value.setdefault(value, []).append(name)
    if set(by_value) == {PRESENT, ABSENT}:
        unlike = f", which differ in its {_names(each.unlike)}" if each.unlike else ""
        return f"{each.label} only at {_names(by_value[PRESENT])}{unlike}"
    if len(by_value) > MOST_NAMES:
        values = list(by_value)
        return f"{each.label} ({len(values)} values, {values[0]} to {values[-1]})"
    if not named:
        return f"{each.label} {' against '.join(by_value)}"
    return f"{each.label} {', '.join(f'{value} at {_names(who)}' for value, who in by_value.items())}"


def _names(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMES:
        return f"{len(names)} offers"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


# --- what the inputs are ------------------------------------------------------------------------------------------


def inputs(scenarios: Sequence[Scenario]) -> Iterator[ComparedInput]:
    """Yield every input of all scenarios, names and prices left out, in the order of the keys of a scenario file."""
    for field in ("horizon", "seed", "maintenance", "energisation"):
        yield one_field(scenarios, "", [()] * len(scenarios), field, "assumption")
    unknown = tuple(tuple(each for each in one.uncertain if not each.money) for one in scenarios)
    keys = [", ".join(each.key for each in one) or None for one in unknown]
    apply = tuple(setter((), "uncertain") for _ in scenarios)
    yield ComparedInput(("uncertain",), LABELS["uncertain"], None, "assumption", unknown, lambda: keys, apply)
    for field in type(scenarios[0].cluster).model_fields:
        yield one_field(scenarios, "", [("cluster",)] * len(scenarios), field, "offer")
    for name, places in matched([[(job.name, "") for job in each.jobs] for each in scenarios]):
        owner = f'"{name}"' if max(len(each.jobs) for each in scenarios) > 1 else ""
        yield from _entries(scenarios, "jobs", name, owner, places)
    for name, places in matched([[(each.key, each.component) for each in one.hazards] for one in scenarios]):
        owner = f'"{name}"' if max(len(each.hazards) for each in scenarios) > 1 else ""
        yield from _entries(scenarios, "hazards", name, owner, places)
    charges: list[dict[str, object]] = [
        {"mode": mode_of(each), "identify": each.accounting.identify, "job_size": job_size(each)} for each in scenarios
    ]
    for field in charges[0]:
        values = tuple(each[field] for each in charges)
        apply = tuple(setter(("accounting",), field) for _ in scenarios)
        yield ComparedInput(("accounting", field), LABELS[field], None, "formula", values, partial(list, values), apply)


def _entries(
    scenarios: Sequence[Scenario], table: str, name: str, owner: str, places: Sequence[int | None]
) -> Iterator[ComparedInput]:
    """Yield the inputs of one job or hazard, or only that some scenarios lack it."""
    if None in places:
        label = "jobs" if table == "jobs" else "failures"
        pairs = zip(scenarios, places, strict=True)
        values = tuple(None if place is None else getattr(each, table)[place] for each, place in pairs)
        written = [ABSENT if value is None else PRESENT for value in values]
        apply = tuple(_placer(table, place) for place in places)
        yield ComparedInput((table, name), label, owner or f'"{name}"', "assumption", values, lambda: written, apply)
        return
    at = [(table, place) for place in places if place is not None]
    entries = [getattr(each, table)[place] for each, (_, place) in zip(scenarios, at, strict=True)]
    for field in type(entries[0]).model_fields:
        if field not in ("name", "recovery", "mtbf_range"):
            yield one_field(scenarios, owner, at, field, "assumption", (table, name))
    if table == "jobs":
        kinds = [type(each.recovery) for each in entries]
        if any(kind is not kinds[0] for kind in kinds):
            values = tuple(each.recovery for each in entries)
            apply = tuple(setter(where, "recovery") for where in at)
            path = (table, name, "recovery")
            yield ComparedInput(
                path, LABELS["kind"], owner or None, "offer", values, lambda: _strategies(values), apply
            )
            return
        for field in kinds[0].model_fields:
            inside = [(*where, "recovery") for where in at]
            yield one_field(scenarios, owner, inside, field, "offer", (table, name, "recovery"))


def one_field(
    scenarios: Sequence[Scenario],
    owner: str,
    at: Sequence[tuple[str | int, ...]],
    field: str,
    group: Group,
    path: tuple[str, ...] | None = None,
) -> ComparedInput:
    """Return one key of the tables that stand ``at`` these places."""
    tables = [_at(each, where) for each, where in zip(scenarios, at, strict=True)]
    label = LABELS.get(field, field.replace("_", " "))
    if field == "gpus":
        label = "job size" if owner or at[0][:1] == ("jobs",) else "GPUs of the cluster"
    values = tuple(getattr(table, field) for table in tables)

    def write() -> list[Any]:
        written = []
        for table, value in zip(tables, values, strict=True):
            found = table.model_dump(
                mode="json", include={field}, exclude_defaults=isinstance(value, BaseModel | tuple)
            )
            written.append(found.get(field))
        return written

    steps = path if path is not None else tuple(str(part) for part in at[0])
    apply = tuple(setter(where, field) for where in at)
    return ComparedInput((*steps, field), label, owner or None, group, values, write, apply)


def _strategies(values: Sequence[Any]) -> list[str]:
    """Name the kind of each recovery, with the keys in which it differs from others of its kind."""
    told = []
    for value in values:
        same = [other for other in values if type(other) is type(value)]
        keys = [key for key in type(value).model_fields if any(getattr(o, key) != getattr(value, key) for o in same)]
        written = value.model_dump(mode="json", include=set(keys), exclude_defaults=True)
        named = {LABELS.get(key, key.replace("_", " ")): text for key, text in written.items()}
        told.append(compact({"kind": value.kind, **named}))
    return told


def matched(entries: Sequence[Sequence[tuple[str, str]]]) -> list[tuple[str, list[int | None]]]:
    """Match entries, (name, kind) each, of several scenarios: by name, the rest by kind in their order."""
    rows: dict[str, list[int | None]] = {}
    kinds: dict[str, str] = {}
    for number, mine in enumerate(entries):
        names = {name for name, _ in mine}
        left: dict[str, deque[str]] = {}  # rows that this scenario has no entry of that name for, by kind
        for row, kind in kinds.items():
            if row not in names:
                left.setdefault(kind, deque()).append(row)
        for index, (name, kind) in enumerate(mine):
            row = name
            if name not in rows and left.get(kind):
                row = left[kind].popleft()
            kinds.setdefault(row, kind)
            rows.setdefault(row, [None] * len(entries))[number] = index
    return list(rows.items())


def _at(scenario: Scenario, where: Sequence[str | int]) -> Any:
    found: Any = scenario
    for step in where:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    return found


# --- what a difference does ---------------------------------------------------------------------------------------


def setter(where: Sequence[str | int], field: str) -> Apply:
    """Return what sets one key of the table that stands there."""

    def change(table: Any, steps: Sequence[str | int], value: Any) -> Any:
        if not steps:
            return table.model_copy(update={field: value})
        if isinstance(steps[0], int):
            entries = list(table)
            entries[steps[0]] = change(entries[steps[0]], steps[1:], value)
            return tuple(entries)
        return table.model_copy(update={steps[0]: change(getattr(table, steps[0]), steps[1:], value)})

    return lambda scenario, value: change(scenario, where, value)


def _placer(table: str, place: int | None) -> Apply:
    """Add an entry that a scenario lacks, or (None) take out the one that it has."""

    def put(scenario: Scenario, entry: BaseModel | None) -> Scenario:
        entries = list(getattr(scenario, table))
        if entry is None and place is not None:
            del entries[place]
        elif entry is not None and place is None:
            entries.append(entry)
        return scenario.model_copy(update={table: tuple(entries)})

    return put


def _effect(scenarios: Sequence[Scenario], losses: Sequence[tuple[float | None, ...]], each: ComparedInput) -> float:
    """Return the largest change of a loss if the first scenario and another one swap this value."""
    effect, seen = 0.0, [each.values[0]]
    for other, value in enumerate(each.values):
        if value in seen:
            continue
        seen.append(value)
        for to, taken in ((0, value), (other, each.values[0])):
            after = _losses(each.apply[to](scenarios[to], taken))
            changes = (abs(b - a) for a, b in zip(losses[to], after, strict=True) if a is not None and b is not None)
            effect = max(effect, *changes, 0.0)
    return effect


def _losses(scenario: Scenario) -> tuple[float | None, ...]:
    """Return the loss by the published formula and by exact theory of the first job; None where there is none.

    A value of another scenario may not fit, such as a blast that is larger than the cluster.
    """
    try:
        return account_scenario(scenario).goodput_loss, gang_loss(plan(scenario))
    except (TopologyError, ArithmeticError, LookupError, ValueError):
        return None, None
