"""Named hazards, each value with its source: ``preset = "llama3/gpu"`` in a [[hazards]] table.

A table of ``presets.toml`` holds one hazard, or several that belong together: then its name stands for all of them,
and ``name/part`` for one.
"""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dcsim.hazards.lifetimes.lifetime import refuse
from dcsim.problems import not_one_of
from dcsim.units import DURATION, MS_PER_DAY, MS_PER_H, parse
from dcsim.wording import shown

_REPAIRS = ("repair", "requalify", "burn_in")
"""Keys that mean nothing where the hardware stays."""


@dataclass(frozen=True)
class HazardPreset:
    """Some keys of one hazard, as a scenario file would have them, with where each value but its name is from."""

    name: str
    about: str
    keys: Mapping[str, Any]
    sources: Mapping[str, str]

    @property
    def stays(self) -> bool:
        """Whether the hardware stays in service, so that nothing is repaired."""
        return self.keys.get("effect") == "kill"


@dataclass(frozen=True)
class HazardTable:
    """One or more hazards that a name stands for together."""

    name: str
    about: str
    parts: tuple[HazardPreset, ...]


@cache
def hazard_presets() -> dict[str, HazardPreset]:
    """Every preset that stands for one hazard, by the name that a scenario file uses."""
    return {preset.name: preset for table in hazard_tables().values() for preset in table.parts}


@cache
def hazard_tables() -> dict[str, HazardTable]:
    """The tables of ``presets.toml`` by name, each with its hazards in their order."""
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        tables = tomllib.load(file)
    return {name: HazardTable(name, table["about"], tuple(_parts(name, table))) for name, table in tables.items()}


def _parts(name: str, table: Mapping[str, Any]) -> Iterator[HazardPreset]:
    alone = len(table["hazards"]) == 1
    for part, entries in table["hazards"].items():
        read = {key: _value(each) for key, each in entries.items() if key != "about"}
        keys = {"name": part, **{key: value for key, (value, _) in read.items()}}
        sources = {key: source for key, (_, source) in read.items()}
        yield HazardPreset(name if alone else f"{name}/{part}", entries["about"], keys, sources)


def _value(entry: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a value and its source; an MTBF is components x days / failures, a lognormal has its mean and median."""
    source: str = entry["source"]
    if "failures" in entry:
        failures, components, days = (Decimal(str(entry[key])) for key in ("failures", "components", "days"))
        hours = components * days * MS_PER_DAY / MS_PER_H / failures
        return (
            f"{hours.quantize(Decimal('0.01')).normalize():f} h",
            f"{source}, {failures} failures of {components:,} in {days} d",
        )
    if "median" in entry:
        sigma = math.sqrt(2 * math.log(parse(entry["mean"], DURATION) / parse(entry["median"], DURATION)))
        law = {"kind": "lognormal", "mean": entry["mean"], "sigma": round(sigma, 4)}
        return law, f"{source}; mean {entry['mean']}, median {entry['median']}"
    return entry["value"], source


def expanded(entry: Any) -> list[Any]:
    """Return the hazards that one entry of a scenario file's list stands for, each with a preset of its own.

    Keys beside the preset are those of each of them; where the hardware stays, what is said of repairs is left out.
    What names no preset, or none that is known, stands for itself.
    """
    name = entry.get("preset") if isinstance(entry, dict) else None
    if not isinstance(name, str) or (name not in hazard_tables() and name not in hazard_presets()):
        return [entry]
    parts = hazard_tables()[name].parts if name in hazard_tables() else (hazard_presets()[name],)
    found = []
    for part in parts:
        own = {key: each for key, each in entry.items() if not (len(parts) > 1 and part.stays and key in _REPAIRS)}
        found.append({"name": part.keys["name"], **own, "preset": part.name})
    return found


def make_room(entry: dict[str, Any], name: object) -> None:
    """Take out of a hazard's table, in place, what a preset gives that is set from outside: it goes before the table.

    The name stays, and with it the random streams. A range of the old MTBF says nothing of another one. Hardware that
    stayed in service is struck again unless the preset says otherwise.
    """
    preset = hazard_presets().get(str(name))
    if preset is None:
        return
    for key in (*preset.keys, *(["mtbf_range"] if "mtbf" in preset.keys else [])):
        if key != "name":
            entry.pop(key, None)
    if entry.get("effect") == "kill":
        del entry["effect"]


def without_preset(model: type[BaseModel], value: object) -> object:
    """Replace ``preset`` in the table of a hazard by the preset's keys; keys of the table itself go first.

    Raises ValidationError (one line: found, allowed, nearest) on an unknown name, on a name that stands for several
    hazards, and where neither says how long a repair takes.
    """
    if not isinstance(value, dict) or "preset" not in value:
        return value
    own = {key: each for key, each in value.items() if key != "preset"}
    name, known = value["preset"], hazard_presets()
    if not isinstance(name, str) or name not in known:
        tables = hazard_tables()
        if isinstance(name, str) and name in tables:
            parts = ", ".join(part.name for part in tables[name].parts)
            why = f"found {shown(name)}, which stands for several hazards; allowed here: {parts}"
        else:
            table = name.partition("/")[0] if isinstance(name, str) else ""
            near = [part.name for part in tables[table].parts] if table in tables else []
            why = not_one_of(near or tables, name)
        refuse(model, [(("preset",), why)])
    preset = known[str(name)]
    keys = {**preset.keys, **own}
    if "repair" not in keys and keys.get("effect") != "kill":
        refuse(model, [(("repair",), "missing; required (the preset's source does not say how long one takes)")])
    return keys


def offer_presets(schema: dict[str, Any]) -> None:
    """Add ``preset`` to the JSON Schema of a hazard: editors offer it, loading leaves the resolved keys."""
    names = sorted({*hazard_tables(), *hazard_presets()})
    about = 'published rates and times by name, such as "llama3/gpu", or "llama3" for all of them; keys of this table '
    about += "go first (dcsim list presets)"
    schema["properties"]["preset"] = {"type": "string", "enum": names, "x-names": "preset", "description": about}
