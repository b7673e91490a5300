"""Named settings of the strategies, each value with its source: ``preset = "torchft"`` in [jobs.recovery]."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from dcsim.problems import not_one_of
from dcsim.registry import kind_of
from dcsim.wording import shown


@dataclass(frozen=True)
class Preset:
    """A strategy's kind and some of its keys, as a scenario file would have them, with where each value is from.

    ``inner``: of a key that is a list of tables, where each value of each table is from.
    """

    name: str
    about: str
    kind: str
    keys: Mapping[str, Any]
    sources: Mapping[str, str]
    inner: Mapping[str, list[Mapping[str, str]]]


@cache
def presets() -> dict[str, Preset]:
    """Every preset of ``presets.toml`` by name."""
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        tables = tomllib.load(file)
    found = {}
    for name, table in tables.items():
        keys = {key: each["value"] for key, each in table["keys"].items()}
        sources = {key: each["source"] for key, each in table["keys"].items()}
        inner = {key: each["sources"] for key, each in table["keys"].items() if "sources" in each}
        found[name] = Preset(name, table["about"], table["kind"], keys, sources, inner)
    return found


def without_preset(value: object) -> object:
    """Replace ``preset`` in a recovery table by the preset's kind and keys; keys of the table itself go first.

    Raises ValidationError (one line: found, allowed, nearest) on an unknown name, or beside another kind.
    """
    if not isinstance(value, dict) or "preset" not in value:
        return value
    own = {key: each for key, each in value.items() if key != "preset"}
    name, known = value["preset"], presets()
    if not isinstance(name, str) or name not in known:
        raise _wrong("preset", not_one_of(known, name))
    preset = known[name]
    if own.get("kind", preset.kind) != preset.kind:
        raise _wrong("kind", f'found {shown(own["kind"])}; preset "{name}" is of kind "{preset.kind}"')
    return {"kind": preset.kind, **preset.keys, **own}


def _wrong(key: str, why: str) -> ValidationError:
    error = InitErrorDetails(type=PydanticCustomError("quantity", "{why}", {"why": why}), loc=(key,), input=None)
    return ValidationError.from_exception_data("recovery", [error])


def offer_presets(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add ``preset`` to the JSON Schema of a kind that has some: editors offer it, loading leaves the resolved keys."""
    names = [name for name, each in presets().items() if "kind" in model.model_fields and each.kind == kind_of(model)]
    if names:
        about = "named settings; keys of this table go first, and kind may be left out"
        schema["properties"]["preset"] = {"type": "string", "enum": names, "description": about}
