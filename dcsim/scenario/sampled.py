"""The scenario that one replication plays: what nobody knows is drawn, and what may be drawn is checked beforehand."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice, product
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from dcsim.hazards.column import COLUMNS
from dcsim.problems import wrong
from dcsim.scenario.errors import Found, KeyPath, Problem, ScenarioError, dotted, entry_names, in_plain_words
from dcsim.scenario.model import Scenario
from dcsim.scenario.overrides import key_parts
from dcsim.scenario.rules import broken_rules
from dcsim.scenario.uncertain import PER_SAMPLE, Uncertain, contradiction, together
from dcsim.streams import generator
from dcsim.units import parse_any
from dcsim.wording import did_you_mean, shown

CHECKED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Quantiles at which every value, and all of them together, must give a valid scenario."""
MOST_CORNERS = 4
"""Values up to which every combination of their ends is checked, too; source: assumed, 16 combinations."""
_LEFT_OUT = {
    "horizon": "all replications must cover the same GPU-hours",
    "cluster.gpus": "all replications must cover the same GPU-hours",
    "cluster.topology": "the topology is fixed; only what happens in it can be uncertain",
    "tco.term": "it sets the term that is billed",
    "seed": "it selects the random numbers",
    "accounting": "no simulation uses it",
    "slo": "no simulation uses it",
    "uncertain": "write one distribution instead",
    "extends": "it names a file",
}


def sampled(scenario: Scenario, replication: int) -> Scenario:
    """Return what a replication simulates: the scenario itself, or with one draw of every uncertain value.

    Replications 2 i and 2 i + 1 share draw i: they differ in luck alone. A draw depends on (seed, i, key) only, one
    that is correlated also on the keys that it is drawn with; scenarios that are compared have equal ranks of one key.
    Raises ScenarioError for a combination that is no scenario.
    """
    return _sample(scenario, replication // PER_SAMPLE) if scenario.uncertain else scenario


def certain(scenario: Scenario) -> Scenario:
    """Return the scenario at its point values: what the closed forms read."""
    return scenario.model_copy(update={"uncertain": (), "correlated": ()}) if scenario.uncertain else scenario


def inputs_drawn(scenario: Scenario, replication: int) -> dict[str, float]:
    """Return the value [canonical unit] of every uncertain key in a replication, as drawn, before any rounding."""
    ranks = _ranks(scenario, replication // PER_SAMPLE)
    return {each.key: float(each.value.quantile(ranks[each.key])) for each in scenario.uncertain}


def _ranks(scenario: Scenario, number: int) -> dict[str, float]:
    """Return the rank, 0 to 1, of every uncertain key in one draw."""
    drawn = {
        each.key: float(generator(scenario.seed, number, f"uncertain {each.key}{_series(each)}", "uncertain").random())
        for each in scenario.uncertain
    }
    return together(scenario.correlated, drawn) if scenario.correlated else drawn


def _series(each: Uncertain) -> str:
    return "" if each.series is None else f" series {each.series}"


@lru_cache(maxsize=1024)
def _sample(scenario: Scenario, number: int) -> Scenario:
    return at_ranks(scenario, _ranks(scenario, number))


def at_ranks(scenario: Scenario, ranks: Mapping[str, float]) -> Scenario:
    """Return the scenario with uncertain keys at these quantiles (0 to 1), the others at their point values.

    Raises ScenarioError for a combination that is no scenario.
    """
    try:
        found = _at(scenario, ranks)
    except ValidationError as error:
        problems = [Problem("", None, dotted(path), why) for path, why in in_plain_words(error, _plain(scenario))]
        raise ScenarioError(problems) from None
    if broken := [Problem("", None, dotted(path), why) for path, why in broken_rules(found)]:
        raise ScenarioError(broken)
    return found


def _at(scenario: Scenario, ranks: Mapping[str, float]) -> Scenario:
    """Return the scenario with these keys at these quantiles, the others at their points."""
    data = _plain(scenario)
    for each in scenario.uncertain:
        if each.key in ranks:
            path = _reach(each.key, data)
            *above, last = path
            table: Any = data
            for part in above:
                table = table[part]
            value = each.value.at(ranks[each.key])
            whole = isinstance(table[last], int) and isinstance(value, float)
            table[last] = round(value) if whole and isinstance(value, float) else value
    return Scenario.model_validate(data)


def _plain(scenario: Scenario) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(_text(scenario))
    for table, trace in scenario.traces(data):
        table |= trace.columns_held
    return data


@lru_cache(maxsize=64)
def _text(scenario: Scenario) -> str:
    """Return the scenario at its points as JSON, once: pydantic loses an interrupt while it writes."""
    context: dict[str, Any] = {COLUMNS: lambda column, listed: []}  # columns of a trace are never uncertain
    return scenario.model_dump_json(exclude_none=True, exclude={"uncertain", "correlated"}, context=context)


def _reach(key: str, data: dict[str, Any]) -> KeyPath:
    """Return the path of a key that is set; entries of a list go by name or index. Raises ValueError in one line."""
    parts = key_parts(key)
    if parts is None:
        raise ValueError(wrong(key, "must be a key, such as hazards.gpu.mtbf"))
    here: Any = data
    path: KeyPath = ()
    for part in parts:
        step: str | int = part
        known = [name for name in entry_names(here) if name] if isinstance(here, list) else []
        if isinstance(here, list) and part in known:
            step = entry_names(here).index(part)
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            step = int(part)
        elif not isinstance(here, dict) or part not in here:
            names = known or (list(here) if isinstance(here, dict) else [])
            where = f" in {dotted(path, data)}" if path else ""
            hint = did_you_mean(part, names)
            raise ValueError(wrong(key, f"{shown(part)} is not set{where}; an uncertain key needs a value{hint}"))
        path = (*path, step)
        here = here[step]
    return path


def settled_keys(scenario: Scenario) -> Scenario:
    """Return the scenario with every uncertain key written one way, so that equal keys name equal random numbers.

    Keys that lead nowhere stay: ``broken_inputs`` names them.
    """
    data = _plain(scenario)
    found = [each.model_copy(update={"key": _settled(each.key, data)}) for each in scenario.uncertain]
    pairs = [
        each.model_copy(update={"keys": tuple(_settled(key, data) for key in each.keys)})
        for each in scenario.correlated
    ]
    return scenario.model_copy(update={"uncertain": tuple(found), "correlated": tuple(pairs)})


def settled_key(scenario: Scenario, key: str) -> str:
    """Return a key written the one way that ``settled_keys`` does; itself if it leads to no value that is set."""
    return _settled(key, _plain(scenario))


def _settled(key: str, data: dict[str, Any]) -> str:
    try:
        return dotted(_reach(key, data), data)
    except ValueError:
        return key


def broken_inputs(scenario: Scenario) -> Iterator[Found]:
    """Yield what is wrong with the uncertain values of a scenario that is valid at its points, keys as settled."""
    wrong = False
    taken: dict[str, int] = {}
    data = _plain(scenario)
    for index, each in enumerate(scenario.uncertain):
        for key, why in _key_problems(each, data, taken):
            wrong = True
            yield ("uncertain", index, key), why
        taken.setdefault(each.key, index)
    for path, why in _broken_correlations(scenario):
        wrong = True
        yield path, why
    if wrong:
        return
    for index, each in enumerate(scenario.uncertain):
        for u in CHECKED:
            if why := _why_not(scenario, {each.key: u}):
                wrong = True
                yield ("uncertain", index, "value"), f"at {each.value.at(u)} (quantile {u:g}): {why}"
                break
    if not wrong and len(scenario.uncertain) > 1:
        keys = [each.key for each in scenario.uncertain]
        corners = product((0.0, 1.0), repeat=len(keys)) if len(keys) <= MOST_CORNERS else iter(())
        for ranks in (*((u,) * len(keys) for u in CHECKED), *corners):
            if why := _why_not(scenario, dict(zip(keys, ranks, strict=True))):
                told = ", ".join(
                    f"{each.key} {each.value.at(u)}" for each, u in zip(scenario.uncertain, ranks, strict=True)
                )
                yield ("uncertain",), f"together, at {told}: {why}"
                return


def _key_problems(each: Uncertain, data: dict[str, Any], taken: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for left_out, why in _LEFT_OUT.items():
        if each.key == left_out or each.key.startswith(f"{left_out}."):
            yield "key", wrong(each.key, f"cannot be uncertain: {why}")
            return
    if each.key in taken:
        yield "key", f"found {shown(each.key)}, the key of uncertain.{taken[each.key]} too; one distribution a key"
    try:
        path = _reach(each.key, data)
    except ValueError as error:
        yield "key", str(error)
        return
    point: Any = data
    for part in path:
        point = point[part]
    if not _is_quantity(point) or path[-1] == "name":
        yield "key", f"found {shown(each.key)}, which is {shown(point)}; must be a quantity or a number"


def _broken_correlations(scenario: Scenario) -> Iterator[Found]:
    """Yield what is wrong with the table of rank correlations, keys as settled."""
    known = [each.key for each in scenario.uncertain]
    taken: dict[frozenset[str], int] = {}
    wrong = False
    for index, each in enumerate(scenario.correlated):
        for key in dict.fromkeys(each.keys):
            if key not in known:
                wrong = True
                yield (
                    ("correlated", index, "keys"),
                    f"found {shown(key)}, which has no [[uncertain]] table"
                    f"{did_you_mean(key, known) or '; correlated keys need one each'}",
                )
        if len(set(each.keys)) == 1:
            wrong = True
            yield ("correlated", index, "keys"), f"found {shown(each.keys[0])} twice; must be two keys"
        elif (first := taken.setdefault(frozenset(each.keys), index)) != index:
            wrong = True
            yield ("correlated", index, "keys"), f"found the keys of correlated.{first} again; one table a pair"
    if not wrong and (why := contradiction(scenario.correlated)):
        yield ("correlated",), why


def _is_quantity(value: Any) -> bool:
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    try:
        parse_any(value)
    except PydanticCustomError:
        return False
    return True


def _why_not(scenario: Scenario, ranks: Mapping[str, float]) -> str:
    """Return what is wrong with the scenario at these quantiles; empty if nothing is."""
    try:
        found = list(islice(broken_rules(_at(scenario, ranks)), 1))
    except ValidationError as error:
        found = list(islice(in_plain_words(error, _plain(scenario)), 1))
    return "; ".join(f"{dotted(path, _plain(scenario))}: {why}" for path, why in found)
