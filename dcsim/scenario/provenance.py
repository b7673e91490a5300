"""Where each value of a scenario is from: the comment behind it in its file, an override, a preset, or a default.

A report that shows a value without saying where it is from cannot be questioned. Files carry their sources as comments,
models carry those of their defaults in the descriptions of their fields; here both meet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dcsim.hazards.presets import hazard_presets
from dcsim.recovery.presets import presets
from dcsim.scenario.errors import KeyPath, ScenarioError, dotter
from dcsim.scenario.files import readable
from dcsim.scenario.layers import Layer, find, layer_of, line_of, merged, read_layers, remarks
from dcsim.scenario.model import Scenario
from dcsim.scenario.overrides import apply, names_preset, read_overrides
from dcsim.scenario.reference import explained
from dcsim.wording import written

GIVEN = "given, no source named"
DEFAULT = "default"
"""What the origin of a value that nobody gave begins with."""
OVERRIDE = "--set"
TOPOLOGY: KeyPath = ("cluster", "topology")


@dataclass(frozen=True)
class Value:
    """One value of a scenario: its key as ``--set`` takes it, the value as a file would have it, on one line.

    ``number``: the value where it is a plain number.
    """

    key: str
    text: str
    number: float | None = None


def values(scenario: Scenario) -> list[Value]:
    """Return every value of a scenario, defaults included, in the order of its tables; a topology is one value."""
    data = readable(scenario)
    named = dotter(data)
    return [Value(named(path), written(value), _number(value)) for path, value in _leaves(data)]


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def origins(scenario: Scenario, source: str | Path | None = None, set: Sequence[str] = ()) -> dict[str, str]:
    """Return where every value (``values``) is from.

    ``source`` and ``set``: what the scenario was loaded from; without, what was given has no source. Raises
    ScenarioError for files that have become unreadable since.
    """
    layers = [] if source is None else read_layers(find(source))
    changed, given = _changed(layers, set)
    notes = _Notes(layers)
    data = readable(scenario)
    named, found = dotter(data), {}
    anew = [path[:-1] for path in changed if names_preset(path)]
    for path, _ in _leaves(data):
        found[named(path)] = (
            OVERRIDE
            if any(path[: len(each)] == each for each in changed)
            else _in_files(path, layers, notes, given, anew) or _in_models(path, scenario, given)
        )
    return found


def _leaves(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield what stands in a row of its own: all but tables of tables, and kinds with their parameters."""
    if path == TOPOLOGY:
        yield path, data["name"]
    elif isinstance(data, dict) and ("kind" not in data or path[-1] == "recovery"):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list) and len(path) == 1:
        for index, value in enumerate(data):
            yield from _leaves(value, (*path, index))
    else:
        yield path, data


# --- where from -------------------------------------------------------------------------------------------------------


def _changed(layers: Sequence[Layer], set: Sequence[str]) -> tuple[list[KeyPath], dict[str, Any]]:
    """Return the paths that overrides changed, and all that was given: of the files, with the overrides."""
    if not layers:
        return [], {}
    data = merged(layers)
    found = []
    for each in read_overrides(set, {}):
        try:
            found.append(apply(each, data))
        except ScenarioError:  # it named an entry that an override before it made
            continue
    return found, data


class _Notes:
    """The comments of all files. A statement without one has that of the same words elsewhere, as shipped files do."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.by_line = {layer.file: remarks(layer.text) for layer in layers}
        self.lines = {layer.file: layer.text.split("\n") for layer in layers}
        self.by_words: dict[str, str] = {}
        for file, found in self.by_line.items():
            for line, remark in found.items():
                self.by_words.setdefault(self._words(file, line), remark)

    def _words(self, file: str, line: int) -> str:
        return self.lines[file][line - 1].partition("#")[0].strip()

    def of(self, layer: Layer, line: int) -> str:
        """Return the comment on a line, or the file's name and the line."""
        found = self.by_line[layer.file].get(line) or self.by_words.get(self._words(layer.file, line))
        return found or f"{Path(layer.file).name}, line {line}"


def _in_files(
    path: KeyPath, layers: Sequence[Layer], notes: _Notes, given: Mapping[str, Any], anew: Sequence[KeyPath]
) -> str | None:
    """Return where the files say that a value is from; ``anew``: tables that an override gives a preset."""
    if not layers or (any(path[: len(each)] == each for each in anew) and _value(given, path) is None):
        return None
    layer, held = layer_of(layers, path)
    line = line_of(layer, held)
    if line is None or (held != path and not _scalar(layer.data, held)):
        return None
    return notes.of(layer, line)


def _scalar(data: Any, held: KeyPath) -> bool:
    """Whether what a file holds of a path is its short form: ``mtbf = "25000 h"`` for a table."""
    for part in held:
        data = data[part]
    return bool(held) and not isinstance(data, dict | list)


def _in_models(path: KeyPath, scenario: Scenario, given: Mapping[str, Any]) -> str:
    """Return a default's source, or the preset's that gave a value; ``GIVEN`` for what was given without one."""
    for length in range(len(path)):
        table = _value(given, path[:length])
        name = table.get("preset") if isinstance(table, dict) else None
        sources = _sources(name) if isinstance(name, str) else {}
        if (key := str(path[length])) in sources:
            return f"preset {name}" + (f": {sources[key]}" if sources[key] else "")
    holder: Any = scenario
    for part in path:
        if isinstance(holder, BaseModel) and part not in holder.model_fields_set:
            source = explained(type(holder).model_fields[str(part)].description or "")[1]
            return f"{DEFAULT}: {source}" if source else DEFAULT
        holder = holder[part] if isinstance(part, int) else getattr(holder, part)
    return GIVEN


def _sources(name: str) -> dict[str, str]:
    """Where the values of a preset are from, by key; "" for what the preset is by its nature."""
    if name in hazard_presets():
        return {**hazard_presets()[name].sources, "name": ""}
    return {**presets()[name].sources, "kind": ""} if name in presets() else {}


def _value(given: Mapping[str, Any], path: KeyPath) -> Any:
    """Return what was given at a path; None if nothing was."""
    value: Any = given
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
