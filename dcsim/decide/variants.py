"""Variants of scenarios: some keys given other values, all of them simulated on common random numbers."""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, Unpack

from pydantic_core import PydanticCustomError

from dcsim.decide.outcome import How, run_many
from dcsim.decide.result import RunResult
from dcsim.problems import wrong
from dcsim.recovery import STRATEGIES
from dcsim.recovery.keys import taken_over
from dcsim.recovery.presets import presets
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, read
from dcsim.scenario.errors import MOST_PROBLEMS
from dcsim.scenario.overrides import as_value, key_parts
from dcsim.units import SHARE, Dimension, parse, parse_any, write
from dcsim.wording import shown

OPTION = "-L"
"""What the verbs call an axis of values."""
MOST_VALUES = 1_000
"""Values of one axis; source: assumed, more than a chart can show."""
MOST_VARIANTS = 100_000
"""Variants of one question; source: assumed, a day of a machine at a second each."""
HOW = 'must be key=values, such as cluster.spares=0,8,16 or hazards.gpu.detect="5 min:60 min:5 min"'


@dataclass(frozen=True)
class Axis:
    """A key, as ``--set`` takes it, and the values that it is given in turn, as a scenario file would give them."""

    key: str
    values: tuple[Any, ...]

    @classmethod
    def read(cls, text: str, option: str = OPTION) -> "Axis":
        """Read ``key=values``: values between commas, or ``lowest:highest:step``, both ends included.

        Raises ScenarioError.
        """
        key, separator, values = text.partition("=")
        if not separator or key_parts(key) is None:
            raise ScenarioError([Problem(option, None, "", wrong(text, HOW))])
        key = key.strip()
        found: list[Any] = []
        for each in _listed(values):
            try:
                found += _ranged(each)
            except ValueError as error:
                raise ScenarioError([Problem(option, None, key, str(error))]) from None
        return cls.of(key, found, option)

    @classmethod
    def of(cls, key: str, values: Iterable[Any], option: str = OPTION) -> "Axis":
        """Take a key and its values as they are; raises ScenarioError."""
        found = tuple(values)
        for problem in _of_values(found):
            raise ScenarioError([Problem(option, None, key, problem)])
        return cls(key, found)


@dataclass(frozen=True)
class Variant:
    """One offer with other values: ``offer`` is its number among the offers, ``inputs`` are keys and their values."""

    offer: int
    inputs: tuple[tuple[str, Any], ...]
    scenario: Scenario


def at_one_seed(
    scenarios: Source | Sequence[Source], changes: Sequence[str], seed: int | None
) -> tuple[list[Scenario], tuple[Scenario, ...]]:
    """Read one or more scenarios, changed alike; return them as given, and all with one seed (default: the first's).

    Raises ScenarioError, and ValueError where there is none.
    """
    sources: Sequence[Any] = scenarios if isinstance(scenarios, list | tuple) else [scenarios]
    made = [read(each, set=changes) for each in sources]
    if not made:
        raise ValueError("needs at least one scenario")
    common = made[0].seed if seed is None else seed
    return made, tuple(each.model_copy(update={"seed": common}) for each in made)


def read_axes(texts: Iterable[str]) -> list[Axis]:
    """Read several axes; raise ScenarioError with the problems of all, or where a key is given twice."""
    axes: list[Axis] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            axis = Axis.read(text)
        except ScenarioError as error:
            problems += error.problems
            continue
        if any(axis.key == other.key for other in axes):
            problems.append(Problem(OPTION, None, axis.key, "found twice; give all of its values at once"))
        axes.append(axis)
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    return axes


def at(offer: Scenario, inputs: Mapping[str, Any], option: str = OPTION) -> Scenario:
    """Return an offer with some keys given other values; another strategy takes over what it can (``_switched``).

    Raises ScenarioError; its problems name the ``option`` and the value that made them.
    """
    try:
        return read(offer, **_switched(offer, inputs))
    except ScenarioError as error:
        raise ScenarioError(dict.fromkeys(_of_option(each, inputs, option) for each in error.problems)) from None


def grid(offers: Sequence[Scenario], axes: Sequence[Axis]) -> list[Variant]:
    """Return every offer with every combination of values: the last axis changes fastest, the offer slowest.

    Raises ScenarioError with the problems of all combinations, each once.
    """
    count = len(offers) * math.prod(len(axis.values) for axis in axes)
    if count > MOST_VARIANTS:
        told = f"found {count:,} combinations; must be at most {MOST_VARIANTS:,}"
        raise ScenarioError([Problem(OPTION, None, "", told)])
    keys = [axis.key for axis in axes]
    asked = [dict(zip(keys, values, strict=True)) for values in product(*(axis.values for axis in axes))]
    return variants([(number, offer, inputs) for number, offer in enumerate(offers) for inputs in asked])


def variants(
    asked: Iterable[tuple[int, Scenario, Mapping[str, Any]]], option: str = OPTION, *, buys: bool = False
) -> list[Variant]:
    """Return a variant for each (number of the offer, offer, inputs); raise ScenarioError with their problems.

    ``buys``: whether a stock of spares is bought (``bought``), not taken from what no job has.
    """
    found: list[Variant] = []
    problems: list[Problem] = []
    for number, offer, inputs in asked:
        try:
            found.append(
                Variant(number, tuple(inputs.items()), at(offer, bought(offer, inputs) if buys else inputs, option))
            )
        except ScenarioError as error:
            problems += (_of_stock(each, inputs, option) for each in error.problems)
    if problems:  # one mistake that is in several variants is told of the first
        first = {(each.path, each.message): each for each in reversed(problems)}
        raise ScenarioError([each for each in dict.fromkeys(problems) if each in first.values()][:MOST_PROBLEMS])
    return found


def simulate_variants(scenarios: Sequence[Scenario], **how: Unpack[How]) -> tuple[RunResult, ...]:
    """Simulate variants together and return their results, in their order.

    Variants of one seed have common random numbers: a failure that two of them can have comes at the same time in both.
    Those that differ only in money share their runs. Raises as ``run_many``.
    """
    results, _ = run_many(scenarios, ranges=False, **how)
    return results


def value_text(value: Any) -> str:
    """Return a value as tables and charts show it."""
    return value if isinstance(value, str) else shown(value)


SPARES, GPUS = "cluster.spares", "cluster.gpus"


def bought(offer: Scenario, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs with ``cluster.gpus`` moved along where only ``cluster.spares`` is given.

    Free GPUs stand in for failed ones whether they are called spares or not. So another stock is one that is bought:
    jobs keep their GPUs, and the cluster has as many more as the stock has. Where ``cluster.gpus`` is given too,
    nothing is moved. A stock may be a share of all GPUs, itself included.
    """
    stock, gpus = inputs.get(SPARES), offer.cluster.gpus - offer.cluster.spares
    if isinstance(stock, str):
        stock = _stock(stock, gpus, offer.cluster.topology.node.gpus)
    if GPUS in inputs or type(stock) is not int or offer.cluster.in_rack_spares:
        return dict(inputs)
    return {**inputs, GPUS: gpus + stock}


def _stock(share: str, gpus: int, tray: int) -> int | None:
    """Return the least stock, in whole trays, that is at least a share of the GPUs and itself; None: it is no share."""
    try:
        part = Fraction(repr(parse(share, SHARE)))  # as written: 7 % are not 0.07000000000000001
    except PydanticCustomError:
        return None
    return None if part >= 1 else tray * math.ceil(part * gpus / (1 - part) / tray)


# --- another strategy -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Switch:
    """A job's other recovery: the ``keys`` of its table; ``taken``, ``left_out``: those of the file's table."""

    job: int
    kind: str
    keys: Mapping[str, Any]
    taken: tuple[str, ...]
    left_out: tuple[str, ...]


def _switches(offer: Scenario, inputs: Mapping[str, Any]) -> dict[str, Switch]:
    """Return, for each key of ``inputs`` that gives a job another kind of recovery, or a preset, what it becomes.

    What is not taken over (``taken_over``) has the preset's value or its default. Names that nobody knows are left to
    ``read``.
    """
    found = {}
    for key, value in inputs.items():
        parts = key_parts(key) or ()
        if len(parts) != 4 or (parts[0], parts[2]) != ("jobs", "recovery") or parts[3] not in ("kind", "preset"):
            continue
        numbers = [n for n, job in enumerate(offer.jobs) if parts[1] in (job.name, str(n))]
        preset = presets().get(value) if parts[3] == "preset" and isinstance(value, str) else None
        kind = value if preset is None else preset.kind
        if not numbers or kind not in STRATEGIES:
            continue
        old = offer.jobs[numbers[0]].recovery
        given = old.model_dump(exclude_defaults=True, exclude_none=True, exclude={"kind"})
        taken = taken_over(old, STRATEGIES[kind], None if preset is None else preset.keys)
        left_out = tuple(name for name in given if name not in taken)
        found[key] = Switch(numbers[0], kind, {parts[3]: value} | taken, tuple(taken), left_out)
    return found


def _switched(offer: Scenario, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs that give jobs whole tables of recovery where they give them another kind of it.

    What other inputs say of that table goes first; what only other kinds have is left out of it.
    """
    switches = _switches(offer, inputs)
    tables = {each.job: dict(each.keys) for each in switches.values()}
    kinds = {each.job: STRATEGIES[each.kind] for each in switches.values()}
    known = {name for kind in STRATEGIES.values() for name in kind.model_fields}
    left: dict[str, Any] = {}
    for key, value in inputs.items():
        parts = key_parts(key) or ()
        jobs = [n for n in tables if parts[:1] == ("jobs",) and parts[1:2] in ((offer.jobs[n].name,), (str(n),))]
        if key in switches:
            continue
        if not jobs or parts[2:3] != ("recovery",) or len(parts) != 4:
            left[key] = value
        elif parts[3] in kinds[jobs[0]].model_fields or parts[3] not in known:
            tables[jobs[0]][parts[3]] = value
    return {f"jobs.{number}.recovery": table for number, table in tables.items()} | left


def switch_notes(offers: Sequence[Scenario], found: Iterable[Variant]) -> list[str]:
    """Say of every strategy that a key gives jobs which keys it takes over from the file, and which it does not."""
    said: dict[str, None] = {}
    for each in found:
        for key, switch in _switches(offers[each.offer], dict(each.inputs)).items():
            if type(offers[each.offer].jobs[switch.job].recovery) is STRATEGIES[switch.kind] and key.endswith("kind"):
                continue
            name = f"{key}={value_text(dict(each.inputs)[key])}"
            kept = f"takes over {', '.join(switch.taken)} from the file" if switch.taken else "takes over nothing"
            without = f", not {', '.join(switch.left_out)}" if switch.left_out else ""
            given = "the preset's value or its default" if key.endswith("preset") else "its default, unless -L gives it"
            said[f"{name} {kept}{without}; every other key has {given}."] = None
    return list(said)


# --- reading values ---------------------------------------------------------------------------------------------------


def _listed(text: str) -> list[Any]:
    """Return the values between commas: as TOML reads them, else each by itself, so that quantities need no quotes."""
    try:
        read_as = tomllib.loads(f"values = [{text}]")
    except (ValueError, RecursionError):
        return [as_value(each.strip()) for each in text.split(",")]
    return list(read_as["values"]) if len(read_as) == 1 else [text]


def _ranged(value: Any) -> list[Any]:
    """Return the values of ``lowest:highest:step``, or the value itself; raise ValueError."""
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) == 2 and all(map(_is_number, parts)):
        raise ValueError(wrong(value, "a range needs a step: lowest:highest:step"))
    if len(parts) != 3:
        return [value]
    (low, dimension), (high, other), (step, third) = (number_of(part) for part in parts)
    if len({each and each.canonical for each in (dimension, other, third)}) > 1:
        raise ValueError(wrong(value, "lowest, highest and step must have units of one kind"))
    if not (low <= high and step > 0):
        raise ValueError(wrong(value, "must be lowest:highest:step with a step above zero"))
    count = (high - low) / step
    if count >= MOST_VALUES:
        raise ValueError(wrong(value, f"must have at most {MOST_VALUES:,} values"))
    numbers = [low + index * step for index in range(math.floor(count + 1e-9) + 1)]
    if dimension is not None:
        return [write(round(each) if dimension.whole else float(f"{each:.12g}"), dimension) for each in numbers]
    whole = all(float(each).is_integer() for each in (low, step))
    return [int(each) if whole else float(f"{each:.12g}") for each in numbers]


def _is_number(text: str) -> bool:
    try:
        number_of(text)
    except ValueError:
        return False
    return True


def number_of(text: str) -> tuple[float, Dimension | None]:
    """Return a number, canonical if it has a unit, and the dimension of its unit; raise ValueError."""
    try:
        number = float(text)
    except ValueError:
        try:
            return parse_any(text.strip())
        except PydanticCustomError as error:
            raise ValueError(error.message()) from None
    if not math.isfinite(number):
        raise ValueError(wrong(text, "must be a finite number"))
    return number, None


def _of_values(values: Sequence[Any]) -> Iterable[str]:
    """Yield what is wrong with the values of an axis."""
    if not values or values == [""]:
        yield f"found no value; {HOW}"
    if len(values) > MOST_VALUES:
        yield f"found {len(values):,} values; must be at most {MOST_VALUES:,}"
    for index, value in enumerate(values):
        if value in values[:index] and type(value) in map(type, values[:index]):
            yield wrong(value, "each value must be given once")


def _of_stock(problem: Problem, inputs: Mapping[str, Any], option: str) -> Problem:
    """Name the stock that made a problem of the size of the cluster that follows from it."""
    if GPUS not in inputs and problem.file.startswith(f"{option} {GPUS}="):
        return replace(problem, file=f"{option} {SPARES}={value_text(inputs[SPARES])}")
    return problem


def _of_option(problem: Problem, inputs: Mapping[str, Any], option: str) -> Problem:
    """Name the option with the value that made a problem, or with all of them where several may have."""
    key = problem.file.removeprefix("override ").removesuffix("...")
    blamed = [each for each in inputs if key != problem.file and each.startswith(key)] or list(inputs)
    told = " ".join(f"{option} {each}={value_text(inputs[each])}" for each in blamed)
    return replace(problem, file=told, line=None)
