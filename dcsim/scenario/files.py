"""From files and overrides to one valid scenario, or every mistake at once; and back to text."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dcsim.hazards.column import COLUMNS, Column, parquet_of
from dcsim.hazards.lifetimes.trace import MOST_LISTED
from dcsim.scenario.errors import (
    MOST_PROBLEMS,
    Found,
    KeyPath,
    Problem,
    ScenarioError,
    dotted,
    impossible_values,
    in_plain_words,
)
from dcsim.scenario.layers import TABLES, TOO_DEEP, Layer, find, layer_of, line_of, merged, read_layers
from dcsim.scenario.model import Scenario
from dcsim.scenario.overrides import apply, read_overrides
from dcsim.scenario.rules import broken_rules
from dcsim.scenario.sampled import broken_inputs, settled_keys
from dcsim.units import Portion

MOST_SHOWN = 1_000
"""Outages of a trace that are listed where a scenario is shown; source: assumed."""
Source = str | Path | Mapping[str, Any] | Scenario
"""Whatever says a scenario."""


def load(source: str | Path, /, *, set: Sequence[str] = (), **overrides: Any) -> Scenario:
    """Read a scenario: a path to a TOML file, or the name of a shipped one such as ``pretrain-5184/gold``.

    ``set`` holds texts as on the command line: ``jobs.pretrain.gpus=2048``, ``hazards.0.mtbf=50677 h``. Keyword
    arguments do the same with Python values: ``load(path, seed=3, **{"jobs.pretrain.gpus": 2048})``. A key is dotted;
    a list entry goes by its name (without one, its component) or its index. Raises ScenarioError with every mistake.
    """
    return _guarded(find(source), str(source), [set] if isinstance(set, str) else set, overrides)


def _guarded(source: Path | Mapping[str, Any], name: str, texts: Iterable[str], keywords: dict[str, Any]) -> Scenario:
    try:
        return _load(source, texts, keywords)
    except RecursionError:
        raise ScenarioError([Problem(name, None, "", TOO_DEEP)]) from None


def read(source: Source, /, *, set: Sequence[str] = (), **overrides: Any) -> Scenario:
    """Return a scenario made of whatever says one: a path, a shipped name, tables as a dict, or a scenario.

    ``set`` and keywords change keys as in ``load``. In a dict, values are written as in a file: text with units, lists
    of dicts for ``jobs`` and ``hazards``. Raises ScenarioError with every mistake, TypeError for anything else.
    """
    if isinstance(source, str | Path):
        return load(source, set=set, **overrides)
    if isinstance(source, Scenario):
        if not set and not overrides:
            return source
        return _guarded(
            with_shares(source, unlisted(source)),
            TABLES,
            [set] if isinstance(set, str) else set,
            overrides,
        )
    if not isinstance(source, Mapping):
        raise TypeError(f"a scenario is a path, a name, a dict or a Scenario, not {type(source).__name__}")
    return _guarded(source, TABLES, [set] if isinstance(set, str) else set, overrides)


def to_toml(scenario: Scenario) -> str:
    """Return a scenario file that stands alone, with every default and the topology written out.

    ``load`` gives an equal scenario for it, unless a trace has more outages than a scenario file may list.
    """
    import tomli_w

    return tomli_w.dumps(plain(scenario))


def to_files(scenario: Scenario) -> tuple[str, dict[str, bytes]]:
    """Return a scenario file, and beside it parquet files of the outages of its traces, by name.

    ``load`` gives an equal scenario for it where these lie beside it.
    """
    import tomli_w

    data = _dumped(scenario, lambda column, listed: [])
    files: dict[str, bytes] = {}
    for table, trace in scenario.traces(data):
        name = f"outages-{len(files) + 1}.parquet"
        files[name] = parquet_of(trace.columns_held)
        for key in trace.columns_held:
            del table[key]
        table["outages"] = name
    return tomli_w.dumps(data), files


def sha256(scenario: Scenario) -> str:
    """Return the hex digest of the resolved scenario, name and seed included: one for all files of equal value."""

    def digest(column: Column, listed: Callable[[Column], list[Any]]) -> Any:
        """Return what is hashed of a column: its list, or of a long one its numbers."""
        if len(column) <= MOST_LISTED:
            return listed(column)
        return hashlib.sha256(column.array.astype("<i8").tobytes()).hexdigest()

    text = json.dumps(_dumped(scenario, digest), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _load(source: Path | Mapping[str, Any], texts: Iterable[str], keywords: dict[str, Any]) -> Scenario:
    changes = read_overrides(texts, keywords)
    layers = read_layers(source)
    data = merged(layers)
    changed: dict[KeyPath, str] = {}
    lost: list[Problem] = []
    for change in changes:
        try:
            changed[apply(change, data)] = change.label
        except ScenarioError as error:
            lost += error.problems
    scenario, found = _validated(data, _folders(layers, changed))
    problems = lost + [_located(path, why, data, layers, changed) for path, why in _told_once(found, layers, changed)]
    if scenario is None or problems:
        problems.sort(key=lambda problem: (problem.file, problem.line or 0))
        if len(problems) > MOST_PROBLEMS:
            more = f"and more mistakes; these are the first {MOST_PROBLEMS}"
            problems[MOST_PROBLEMS:] = [Problem(layers[0].file, None, "", more)]
        raise ScenarioError(problems)
    return scenario


def _folders(layers: Sequence[Layer], changed: Iterable[KeyPath]) -> dict[str, Path]:
    """Return where relative paths start: at the file that names them; an override stands in the first.

    ``topology``: for the topology's; ``folder``: for the files of recorded outages. A list of hazards is of one file.
    """
    topology, hazards = ("cluster", "topology"), ("hazards",)
    own_topology = any(path in (topology, topology[:1]) for path in changed)
    own_hazards = any(path[:1] == hazards and path[2:3] in ((), ("mtbf",)) for path in changed)
    return {
        "topology": (layers[0] if own_topology else layer_of(layers, topology)[0]).folder,
        "folder": (layers[0] if own_hazards else layer_of(layers, hazards)[0]).folder,
    }


def _validated(data: dict[str, Any], folders: dict[str, Path]) -> tuple[Scenario | None, list[Found]]:
    """Return the scenario, or None, and what is wrong: values first, and only where all are right the rules."""
    found = list(islice(impossible_values(data), MOST_PROBLEMS + 1))
    named = {path for path, _ in found}
    try:
        scenario = Scenario.model_validate(data, context=folders)
    except ValidationError as error:
        others = (each for each in in_plain_words(error, data) if each[0] not in named)
        return None, found + list(islice(others, MOST_PROBLEMS + 1))
    found = found or list(islice(broken_rules(scenario), MOST_PROBLEMS + 1))
    if (scenario.uncertain or scenario.correlated) and not found:
        scenario = settled_keys(scenario)
        found = list(islice(broken_inputs(scenario), MOST_PROBLEMS + 1))
    return scenario, found


def _told_once(found: Iterable[Found], layers: Sequence[Layer], changed: Iterable[KeyPath]) -> Iterator[Found]:
    """Yield what is wrong; of hazards that one preset of a file stands for and that share a mistake, the first."""
    told = set()
    overrides = list(changed)
    for path, why in found:
        line = layer_of(layers, path)[0].lines.get(path[:2]) if path[:1] == ("hazards",) else None
        own = line is None or any(path[: len(each)] == each for each in overrides)
        if own or (line, path[2:], why) not in told:
            yield path, why
        if not own:
            told.add((line, path[2:], why))


def _located(path: KeyPath, why: str, data: Any, layers: Sequence[Layer], changed: Mapping[KeyPath, str]) -> Problem:
    """Say where a mistake was made: in an override, or in a line of a file."""
    for length in range(len(path), 0, -1):
        if path[:length] in changed:
            return Problem(changed[path[:length]], None, dotted(path, data), why)
    layer, held = layer_of(layers, path)
    return Problem(layer.file, line_of(layer, held), dotted(path, data), why)


def with_shares(scenario: Scenario, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a scenario as plain data, or this ``data`` of it; spares given as a share of all GPUs are one again."""
    data, spares = plain(scenario) if data is None else data, scenario.cluster.spares
    if isinstance(spares, Portion):
        data["cluster"]["spares"] = spares.share
    return data


def plain(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data, as a file holds it."""
    return _dumped(scenario, None)


def readable(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data for people: of a long list of outages it says how long it is."""
    return _dumped(scenario, lambda column, listed: listed(column) if len(column) <= MOST_SHOWN else [_count(column)])


def _count(column: Column) -> str:
    return f"{len(column):,} values"


def unlisted(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data to be read again by this program, with the columns of traces as they are."""
    data = _dumped(scenario, lambda column, listed: [])
    for table, trace in scenario.traces(data):
        table |= trace.columns_held
    return data


def _dumped(scenario: Scenario, way: Callable[[Column, Callable[[Column], list[Any]]], Any] | None) -> dict[str, Any]:
    """Return a scenario as plain data; ``way``: what stands in the place of a column of a trace, if not its list."""
    empty = {name for name in ("uncertain", "correlated") if not getattr(scenario, name)}  # as it was before these keys
    return scenario.model_dump(mode="json", exclude_none=True, exclude=empty, context={COLUMNS: way})
