"""The inputs in which two scenarios differ, prices included: by key, in groups that can change hands one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from dcsim.closed_form.keys import AccountingKeys
from dcsim.decide.assumptions import PRESENT, Apply, ComparedInput, inputs, matched, one_field, setter
from dcsim.decide.input_texts import ABSENT, compact
from dcsim.economics import GROUPS, LINES, Tco
from dcsim.scenario import Scenario, ScenarioError, read
from dcsim.scenario.errors import dotted
from dcsim.scenario.files import unlisted
from dcsim.scenario.overrides import key_parts

SIMULATED: Mapping[str, str] = {
    "time": "simulated time",
    "failures": "failures",
    "plant": "topology and blast",
    "detection": "detection",
    "recovery": "recovery strategy",
    "repair": "repair",
    "spares": "spares",
    "jobs": "jobs",
    "maintenance": "maintenance",
    "others": "other inputs",
}
"""What runs depend on, in the order in which it changes hands: what fails, what is hit, how it is found and mended."""
PRICED: Mapping[str, str] = {
    "contract": "contract",
    **{key: label for key, label in GROUPS.items() if key != "goodput"},
}
"""What only bills depend on, in the order in which it changes hands: the contract, then prices by line."""
UNREAD: Mapping[str, str] = {"unread": "read by no run and no bill"}
"""What stands in a scenario and moves neither its loss nor its bill."""
LABELS: Mapping[str, str] = {**SIMULATED, **PRICED, **UNREAD}
"""What a group of inputs is called."""
BESIDE = ("sla", "slo", "owner", "grid", "finance", "tokens")
"""Tables that neither a run nor the renter's bill reads."""
_OF_HAZARD = {
    **dict.fromkeys(("detect", "wrong_node"), "detection"),
    **dict.fromkeys(("repair", "requalify", "requalify_finds", "burn_in", "returns"), "repair"),
    **{"blast": "plant", "mtbf_range": "unread"},
}
_OF_CLUSTER = {"spares": "spares", "in_rack_spares": "spares", "burn_in": "failures"}
_OF_TABLE = {
    **{"horizon": "time", "starts": "repair", "energisation": "plant", "maintenance": "maintenance"},
    **dict.fromkeys(("seed", "accounting", *BESIDE), "unread"),
}
_OF_LINE = {line.name: line.group for line in LINES} | {"gpu_hour": "gpu"}
_ELSEWHERE = {"name", "description", "cluster", "jobs", "hazards", "tco", "uncertain", "accounting"}
"""Tables whose keys are inputs one by one, and what is no input."""


@dataclass(frozen=True)
class Change:
    """One input that two scenarios have different values of. ``texts``: the values, with units, as people read them.

    ``key``: as ``--set`` takes it, by the names of the first scenario that has it; ``label``: what it is called in a
    sentence. ``group``: a key of ``LABELS``.
    ``rows``: the same key by key where a value is a table: (key, first value, second value). ``values``: as the models
    hold them; ``apply``: what gives the first, and the second, another value.
    """

    key: str
    label: str
    group: str
    texts: tuple[str, str]
    rows: tuple[tuple[str, str, str], ...]
    values: tuple[Any, Any]
    apply: tuple[Apply, Apply]

    @classmethod
    def of(cls, each: ComparedInput) -> "Change":
        """Return the difference in one input of two scenarios."""
        key, (first, second), (value_a, value_b), (apply_a, apply_b) = (
            dotted(each.path),
            each.texts,
            each.values,
            each.apply,
        )
        rows = tuple(_rows(each.path, value_a, value_b)) or ((key, first, second),)
        return cls(key, each.label, group_of(each.path), (first, second), rows, (value_a, value_b), (apply_a, apply_b))

    @property
    def whole_entry(self) -> bool:
        """Whether it is a job or a hazard that one of both lacks."""
        return set(self.texts) == {PRESENT, ABSENT}

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        keys = [{"key": key, "values": [first, second]} for key, first, second in self.rows]
        return {"key": self.key, "group": self.group, "values": list(self.texts), "keys": keys}


def changes_between(a: Scenario, b: Scenario) -> tuple[Change, ...]:
    """Return the inputs that differ, group by group; the scenarios' own names and descriptions are none."""
    found = [Change.of(each) for each in _all_inputs((a, b)) if each.differs]
    order = list(LABELS)
    return tuple(sorted(found, key=lambda each: order.index(each.group)))


def _rows(path: tuple[str, ...], a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the keys in which two tables differ; nothing where a value is no table, or tables go by their names."""
    tables = [each.model_dump(mode="json") if isinstance(each, BaseModel) else None for each in (a, b)]
    named = path == ("cluster", "topology") and a.name != b.name
    if named or path[0] == "uncertain" or not all(isinstance(each, dict) for each in tables):
        return
    yield from _leaves(path, *tables)


def _leaves(path: tuple[str, ...], a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(dict.fromkeys([*a, *b]), key=lambda each: each != "kind"):
            if a.get(key) != b.get(key):
                yield from _leaves((*path, key), a.get(key), b.get(key))
        return
    yield dotted(path), compact(a), compact(b)


def group_of(path: Sequence[str]) -> str:
    """Return the group of a key: ("hazards", "gpu", "detect") belongs to detection."""
    table, last = path[0], path[2] if len(path) > 2 else path[-1]
    if table == "uncertain" and len(path) > 1:
        return group_of(key_parts(path[1]) or ("others",))
    if table == "hazards":
        return _OF_HAZARD.get(last, "failures")
    if table == "jobs":
        return "recovery" if last == "recovery" else "jobs"
    if table == "cluster":
        return _OF_CLUSTER.get(last, "plant")
    if table == "tco":
        return _OF_LINE.get(path[1] if len(path) > 1 else "", "contract")
    return _OF_TABLE.get(table, "others")


def with_groups_of_other(
    scenario: Scenario, side: int, changes: Sequence[Change], groups: frozenset[str]
) -> Scenario | None:
    """Return one of two scenarios (``side`` 0 or 1) with the other one's values in some groups.

    None where that is no valid scenario. Entries that only the other one has come last.
    """
    moved = [each for each in changes if each.group in groups]
    absent = [each for each in moved if each.whole_entry and each.values[1 - side] is None]
    added = [each for each in moved if each.whole_entry and each not in absent]
    keys = [each for each in moved if not each.whole_entry]
    found = scenario
    for each in (*keys, *added, *reversed(absent)):  # the last one first: places before it stay what they are
        found = each.apply[side](found, each.values[1 - side])
    try:
        return read(unlisted(found))
    except (ScenarioError, ValueError):
        return None


def without_unread(scenario: Scenario) -> Scenario:
    """Return a scenario without what neither a run nor a bill reads: it need not fit what another scenario gives."""
    hazards = tuple(each.model_copy(update={"mtbf_range": None}) for each in scenario.hazards)
    changed: dict[str, Any] = {"hazards": hazards, "accounting": AccountingKeys(), **dict.fromkeys(BESIDE)}
    changed["uncertain"] = tuple(each for each in scenario.uncertain if not _of_beside(each.key))
    changed["correlated"] = tuple(each for each in scenario.correlated if not any(map(_of_beside, each.keys)))
    return scenario.model_copy(update=changed)


def _of_beside(key: str) -> bool:
    return key.partition(".")[0] in BESIDE


# --- all inputs -------------------------------------------------------------------------------------------------------


def _all_inputs(pair: tuple[Scenario, Scenario]) -> Iterator[ComparedInput]:
    """Yield the inputs of two scenarios: those of simulations, those that are uncertain, prices, and the rest."""
    known = [each for each in inputs(pair) if each.path[0] not in ("uncertain", "accounting")]
    yield from known
    yield from _names(pair)
    yield from _ranges(pair)
    yield from _uncertain(pair)
    yield from _prices(pair)
    for field in AccountingKeys.model_fields:
        yield one_field(pair, "", [("accounting",)] * 2, field, "formula")
    seen = {each.path[0] for each in known} | _ELSEWHERE
    for field in type(pair[0]).model_fields:
        if field not in seen:
            yield one_field(pair, "", [()] * 2, field, "assumption")


def _paired(pair: tuple[Scenario, Scenario]) -> Iterator[tuple[str, int, int, str]]:
    """Yield (table, place in the first, place in the second, name) of the jobs and hazards that both have."""
    jobs = [[(job.name, "") for job in each.jobs] for each in pair]
    hazards = [[(hazard.key, hazard.component) for hazard in each.hazards] for each in pair]
    for table, entries in (("jobs", jobs), ("hazards", hazards)):
        for name, (a, b) in matched(entries):
            if a is not None and b is not None:
                yield table, a, b, name


def _names(pair: tuple[Scenario, Scenario]) -> Iterator[ComparedInput]:
    """Yield the names of jobs and hazards that belong together: random streams are named after them."""
    for table, *places, name in _paired(pair):
        entries = [getattr(each, table)[place] for each, place in zip(pair, places, strict=True)]
        called = tuple(entry.key if table == "hazards" else entry.name for entry in entries)
        apply = tuple(setter((table, place), "name") for place in places)
        yield ComparedInput((table, name, "name"), "name", None, "assumption", called, partial(list, called), apply)


def _ranges(pair: tuple[Scenario, Scenario]) -> Iterator[ComparedInput]:
    """Yield the ranges of MTBF, which only the reports of an offer read."""
    for table, *places, name in _paired(pair):
        if table != "hazards":
            continue
        entries = [each.hazards[place] for each, place in zip(pair, places, strict=True)]
        texts = []
        for entry in entries:
            ends = entry.model_dump(mode="json")["mtbf_range"]
            texts.append(" to ".join(ends) if ends else ABSENT)
        apply = tuple(setter((table, place), "mtbf_range") for place in places)
        values = tuple(entry.mtbf_range for entry in entries)
        yield ComparedInput(
            (table, name, "mtbf_range"), "range", None, "assumption", values, partial(list, texts), apply
        )


def _uncertain(pair: tuple[Scenario, Scenario]) -> Iterator[ComparedInput]:
    """Yield what may be drawn of each key, or that it is certain."""
    drawn = [{each.key: each for each in scenario.uncertain} for scenario in pair]
    for key in dict.fromkeys([*drawn[0], *drawn[1]]):
        values = tuple(each.get(key) for each in drawn)
        texts = ["certain" if each is None else compact(each.model_dump(mode="json")["value"]) for each in values]
        apply = (_drawer(key),) * 2
        yield ComparedInput(("uncertain", key), key, None, "assumption", values, partial(list, texts), apply)


def _drawer(key: str) -> Apply:
    def put(scenario: Scenario, entry: Any) -> Scenario:
        others = tuple(each for each in scenario.uncertain if each.key != key)
        return scenario.model_copy(update={"uncertain": others if entry is None else (*others, entry)})

    return put


def _prices(pair: tuple[Scenario, Scenario]) -> Iterator[ComparedInput]:
    """Yield every key of the [tco] table, or only that one of both has none."""
    tables = tuple(each.tco for each in pair)
    if None in tables:  # one table is one price list
        texts = [ABSENT if each is None else PRESENT for each in tables]
        yield ComparedInput(("tco",), "prices", None, "offer", tables, partial(list, texts), (setter((), "tco"),) * 2)
        return
    for field in Tco.model_fields:
        yield one_field(pair, "", [("tco",)] * 2, field, "offer")
