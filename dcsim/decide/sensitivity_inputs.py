"""Which inputs of a scenario may move, and how far: declared ranges, ranges of a question, and shares of every number.

A key has one range. A range of the question (``-L``) comes first, then an ``[[uncertain]]`` table, then a hazard's
``mtbf_range``, then the share by which every number is moved (``--vary``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from dcsim.decide.estimate import at_mtbf
from dcsim.decide.variants import Axis, variants
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, certain, unused_keys
from dcsim.scenario.errors import KeyPath, dotted
from dcsim.scenario.files import plain
from dcsim.scenario.sampled import at_ranks, settled_key
from dcsim.scenario.uncertain import MONEY, is_money
from dcsim.units import DURATION, SHARE, parse, parse_any, write

LOW, HIGH = 0.05, 0.95
"""Quantiles between which an uncertain input is moved."""
MOST_INPUTS = 200
"""Inputs of one question; source: assumed, each is two simulations."""
UNCERTAIN, MTBF_RANGE, VARIED, ASKED = "[[uncertain]]", "mtbf_range", "--vary", "-L"
"""Where a range is from."""
HOW = 'must be key=low:high, such as cluster.spares=16:64 or hazards.gpu.mtbf="15000 h:50000 h"'
DECLARE = (
    'all of its inputs are certain, so nothing can be told; declare ranges: --vary "10 %" moves every number, '
    '-L hazards.NAME.mtbf="15000 h:50000 h" one of them, and [[uncertain]] tables or mtbf_range in the file say what '
    "is known"
)


@dataclass(frozen=True)
class MovedInput:
    """A key and the two values that it is moved to, as a scenario file would give them, with both scenarios.

    ``source``: where the range is from. ``follows``: keys that move with it because they are correlated with it.
    """

    key: str
    low: Any
    high: Any
    source: str
    at_low: Scenario
    at_high: Scenario
    follows: tuple[str, ...] = ()

    @property
    def money(self) -> bool:
        """Whether no simulation reads it, so that moving it needs none."""
        return is_money(self.key)

    @property
    def price(self) -> bool:
        """Whether it is agreed on or set, so that nobody measures it."""
        return self.money and self.key not in MEASURED

    @property
    def is_set(self) -> bool:
        """Whether somebody chooses it or agrees on it, so that there is nothing to measure."""
        return self.price or self.key.rpartition(".")[2] in CHOSEN


CHOSEN = {"gpus", "spares", "checkpoint_every", "every", "crews", "visit_when", "survives", "group", "priority"}
"""Last parts of keys that are decisions of those who run the cluster or the job."""
MEASURED = {"tokens.speed", "tokens.utilisation", "tokens.subscription.tokens"}
"""Keys that no simulation reads and that are no prices: they can be measured."""


def inputs_of(
    scenario: Scenario, ranges: Sequence[str] = (), vary: str | None = None, priced: bool = True
) -> tuple[list[MovedInput], list[str]]:
    """Return the inputs that may move, each key once, and what a reader should know of those left out.

    ``ranges``: texts such as "cluster.spares=16:64". ``vary``: a share such as "10 %" by which every other number is
    moved to either side. ``priced``: whether prices matter; else ranges of prices are left out. Raises ScenarioError
    for mistakes in them, and where nothing may move.
    """
    found: dict[str, MovedInput] = {}
    problems: list[Problem] = []
    for text in ranges:
        try:
            asked = _asked(scenario, text)
        except ScenarioError as error:
            problems += error.problems
            continue
        if asked.key in found:
            problems.append(Problem(ASKED, None, asked.key, "found twice; a key has one range"))
        found[asked.key] = asked
    share = None
    if vary is not None:
        try:
            share = _share(vary)
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    for declared in (*_uncertain(scenario), *_mtbf_ranges(scenario)):
        found.setdefault(declared.key, declared)
    notes: list[str] = []
    varied: dict[str, MovedInput] = {}
    if share is not None:
        varied, notes = _varied(scenario, share, found)
        found |= varied
    if not found:
        raise ScenarioError([Problem(scenario.name, None, "", DECLARE)])
    if not priced and (prices := [key for key, each in found.items() if each.money]):
        found = {key: each for key, each in found.items() if not each.money}
        if not found:
            told = f"found ranges of prices only ({', '.join(prices)}), which move no figure but money"
            raise ScenarioError([Problem(scenario.name, None, "", told)])
        declared_prices = [key for key in prices if key not in varied]
        notes += [f"Prices move no figure but money, so left out: {', '.join(declared_prices)}"] * bool(declared_prices)
    if len(found) > MOST_INPUTS:
        why = f"found {len(found)} inputs to move; must be at most {MOST_INPUTS}: name those that matter with -L"
        raise ScenarioError([Problem(scenario.name, None, "", why)])
    return list(found.values()), notes


# --- ranges of the question -------------------------------------------------------------------------------------------


def _asked(scenario: Scenario, text: str) -> MovedInput:
    """Read a range of the question; raises ScenarioError."""
    key, separator, ends = text.partition("=")
    if separator and ends.count(":") == 1:
        text = f"{key}={ends.replace(':', ',')}"
    try:
        axis = Axis.read(text, ASKED)
    except ScenarioError:
        raise ScenarioError([Problem(ASKED, None, "", wrong(text, HOW))]) from None
    key = settled_key(scenario, axis.key)
    if len(axis.values) < 2:
        raise ScenarioError([Problem(ASKED, None, key, f"found one value; {HOW}")])
    if key in ("seed", "name", "description"):
        raise ScenarioError([Problem(ASKED, None, key, "must be an input: it only selects random numbers or words")])
    points = certain(scenario)
    low, high = _ascending(axis.values[0], axis.values[-1])
    return MovedInput(key, low, high, ASKED, _at(points, key, low, ASKED), _at(points, key, high, ASKED))


def _at(points: Scenario, key: str, value: Any, option: str) -> Scenario:
    """Return the scenario with one key at another value; a stock of spares is bought. Raises ScenarioError."""
    (found,) = variants([(0, points, {key: value})], option, buys=True)
    return found.scenario


def _ascending(low: Any, high: Any) -> tuple[Any, Any]:
    """Return two ends in ascending order, where they have one."""
    a, b = _size(low), _size(high)
    return (high, low) if a > b and b else (low, high)


def _share(text: str) -> float:
    """Read the share by which numbers are moved; raises ScenarioError."""
    why = ""
    try:
        share = parse(text, SHARE)
        if 0 < share < 1:
            return share
        why = wrong(text, 'must be a share above 0 % and below 100 %, such as "10 %"')
    except PydanticCustomError as error:
        why = error.message()
    raise ScenarioError([Problem(VARIED, None, "", why)])


# --- ranges of the file -----------------------------------------------------------------------------------------------


def _uncertain(scenario: Scenario) -> Iterator[MovedInput]:
    """Yield the uncertain inputs between their P5 and P95; those correlated with one follow to their medians then."""
    normal = NormalDist()
    for each in scenario.uncertain:
        rho = {key: pair.normal for pair in scenario.correlated if each.key in pair.keys for key in pair.keys}
        follow = {key: value for key, value in rho.items() if key != each.key and value}

        def moved(u: float, key: str = each.key, follow: Mapping[str, float] = follow) -> Scenario:
            score = normal.inv_cdf(u)
            return at_ranks(scenario, {key: u} | {other: normal.cdf(rho * score) for other, rho in follow.items()})

        low, high = each.value.at(LOW), each.value.at(HIGH)
        yield MovedInput(each.key, low, high, UNCERTAIN, moved(LOW), moved(HIGH), tuple(follow))


def _mtbf_ranges(scenario: Scenario) -> Iterator[MovedInput]:
    points = certain(scenario)
    for hazard in scenario.hazards:
        if hazard.mtbf_range is not None:
            low, high = (write(end(hazard.mtbf_range), DURATION) for end in (min, max))
            ends = at_mtbf(points, "lowest", hazard.key), at_mtbf(points, "highest", hazard.key)
            yield MovedInput(settled_key(scenario, f"hazards.{hazard.key}.mtbf"), low, high, MTBF_RANGE, *ends)


# --- every number -----------------------------------------------------------------------------------------------------


def _varied(
    scenario: Scenario, share: float, taken: Mapping[str, MovedInput]
) -> tuple[dict[str, MovedInput], list[str]]:
    """Return every main number moved by a share to either side, and a note on those that cannot be."""
    points, found, left = certain(scenario), {}, []
    unused = unused_keys(scenario)
    for key, value in main_numbers(scenario):
        if any(key == other or key.startswith(f"{other}.") for other in (*taken, *unused)):
            continue
        low, high = _moved(value, 1 - share), _moved(value, 1 + share)
        if low == high:
            continue  # a whole number too small to move
        try:
            ends = _at(points, key, low, VARIED), _at(points, key, high, VARIED)
        except ScenarioError:
            left.append(key)
            continue
        found[key] = MovedInput(key, low, high, VARIED, *ends)
    told = f"{write(share, SHARE)} more or less is not allowed for {', '.join(left)}: left out"
    return found, [told] if left else []


def main_numbers(scenario: Scenario) -> list[tuple[str, Any]]:
    """Return the keys and values that ``--vary`` moves: spares, and what has a unit of hazards, recovery and prices.

    Those that the scenario gives, by itself or by a preset, and that are not zero. Shapes of distributions, numbers of
    GPUs and the term stay.
    """
    data = plain(certain(scenario))
    found = []
    for path, value in _given(scenario, data, ()):
        if _is_main(path) and _size(value):
            found.append((dotted(path, data), value))
    return found


def _given(holder: Any, data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the values that are given, not defaults, as a file would have them."""
    if isinstance(holder, BaseModel) and isinstance(data, dict):
        for name in data:
            if name in holder.model_fields_set:
                yield from _given(getattr(holder, name), data[name], (*path, name))
    elif isinstance(holder, tuple) and isinstance(data, list):
        for index, (inner, value) in enumerate(zip(holder, data, strict=True)):
            yield from _given(inner, value, (*path, index))
    else:
        yield path, data


def _is_main(path: KeyPath) -> bool:
    if path == ("cluster", "spares"):
        return True
    if path[0] == "jobs":
        return path[2] in ("recovery", "comm")
    if path[0] == "hazards":
        return path[2] in ("mtbf", "detect", "repair", "requalify")
    return path[0] in MONEY and path[1] != "term"


def _size(value: Any) -> float:
    """Return the canonical number of a quantity with a unit, or a whole number; 0 for what is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return parse_any(value)[0] if isinstance(value, str) else 0.0
    except PydanticCustomError:
        return 0.0


def _moved(value: Any, by: float) -> Any:
    """Return a value times a number."""
    if isinstance(value, int):
        return round(value * by)
    number, dimension = parse_any(value)
    return write(round(number * by) if dimension.whole else float(f"{number * by:.12g}"), dimension)
