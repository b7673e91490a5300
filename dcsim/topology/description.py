"""The topology file: a frozen model of its keys, reading it, and finding it by name or path."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from dcsim.fabric import FabricKeys, Optics, StorageKeys, shipped_optics
from dcsim.power import CoolingKeys, PowerKeys
from dcsim.problems import is_misspelt, located, not_one_of, unknown_key, wrong
from dcsim.shipped import shipped_files
from dcsim.textfile import NoTextError, read_text
from dcsim.units import Power
from dcsim.wording import did_you_mean, shown, visible

MAX_GPUS = 10_000_000
"""Largest cluster [GPU]; source: assumed, the scenario contract."""


class TopologyError(Exception):
    """What is wrong with a topology, one line per problem; rebuilt from ``args`` in another process."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = [visible(problem) for problem in problems]
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


Count = Annotated[int, Field(strict=True, ge=1, le=MAX_GPUS)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(_Table):
    """The smallest unit that is bought and repaired: a compute tray or a server."""

    gpus: Count = Field(description="GPUs per node (compute tray or server)")
    power: Power = Field(0.0, description="power of one node at full load (default 0 W: assumed, nobody asks)")


class Rack(_Table):
    """What stands in one rack."""

    nodes: Count = Field(description="nodes (compute trays or servers) per rack")
    row: Count = Field(8, description="racks in a row: what shares coolant and busways (default 8: assumed)")
    power: Power = Field(0.0, description="power of a rack besides its nodes (default 0 W: assumed)")


class NVLink(_Table):
    """The scale-up network."""

    domain: Literal["node", "rack"] = Field(description="the part whose GPUs share one NVLink domain")
    switches: Annotated[int, Field(strict=True, ge=0, le=1000)] = Field(
        0, description="NVLink switch trays (or switches) of one domain (default 0: assumed)"
    )
    needed: Annotated[int, Field(strict=True, ge=0, le=1000)] | None = Field(
        None, description="switches without which the domain leaves service; leave out: all"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.needed is not None and self.needed > self.switches:
            why = f"found {self.needed} needed; at most the {self.switches} switches"
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        return self

    @property
    def least(self) -> int:
        """Switches without which the domain leaves service."""
        return self.switches if self.needed is None else self.needed


class NamedOptics(Optics):
    """A kind of optics of a topology's own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "linear", "reach": "500 m", "power": "6 W", "mtbf": "1.263e6 h"}]}
    )
    name: str = Field(description="name of the kind", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")


class TopologyDescription(_Table):
    """One kind of plant: how GPUs nest in nodes and racks, what joins, feeds and cools them, whatever the size."""

    name: str = Field(description="short name", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    description: str = Field(description="one sentence on what it is")
    node: Node = Field(description="the [node] table")
    rack: Rack = Field(description="the [rack] table")
    nvlink: NVLink = Field(description="the [nvlink] table")
    fabric: FabricKeys | None = Field(None, description="the [fabric] table; leave out: never in the way")
    power: PowerKeys | None = Field(None, description="the [power] table; leave out: always enough")
    cooling: CoolingKeys | None = Field(None, description="the [cooling] table; leave out: always enough")
    storage: StorageKeys | None = Field(None, description="the [storage] table; leave out: always enough")
    optics: tuple[NamedOptics, ...] = Field(
        (), description="further kinds of optics, or other values for those that come with dcsim: [[optics]] tables"
    )

    @property
    def known_optics(self) -> dict[str, Optics]:
        """Kinds of optics by name, this file's own first."""
        return {**shipped_optics(), **{each.name: each for each in self.optics}}

    @model_validator(mode="after")
    def _known_optics(self) -> Self:
        for kind in self.fabric.kinds_of_optics.values() if self.fabric else ():
            if kind not in self.known_optics:
                why = located("optics", not_one_of(self.known_optics, kind))
                raise PydanticCustomError("quantity", "{why}", {"why": why})
        return self


def load_description(path: Path) -> TopologyDescription:
    """Read and check a topology file.

    Raises TopologyError with every problem as "file: dotted path: found; allowed; did you mean".
    """
    file = str(path) if str(path).isprintable() else repr(str(path))
    try:
        return TopologyDescription.model_validate(completed(tomllib.loads(read_text(path)), path.parent))
    except ValidationError as error:
        raise TopologyError([f"{file}: {line}" for line in _lines(error)]) from None
    except NoTextError as error:
        reason = error.why
        file += f":{error.line}" if error.line else ""
    except RecursionError:
        reason = "is not valid TOML: nested too deeply"
    except ValueError as error:  # TOMLDecodeError, and integers of more digits than Python reads
        reason = f"is not valid TOML: {error}"
    raise TopologyError([f"{file}: {reason}"])


def completed(data: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Return a description with what its ``base`` says of the keys that it leaves out; itself, if it names none.

    ``base`` is a shipped name or a path; tables are merged key by key, everything else replaces what the base says.
    Raises TopologyError as ``resolve`` does.
    """
    if not isinstance(data.get("base"), str):
        return data
    base = resolve(data["base"], folder).model_dump(mode="json", exclude_none=True)
    return _merged(base, {key: value for key, value in data.items() if key != "base"})


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def resolve(name_or_path: str, folder: Path | None = None) -> TopologyDescription:
    """Find a shipped topology by name, or read a path (it has a "/" or ends in ".toml") from ``folder``.

    Raises TopologyError; its lines leave it to the caller to name the key that held ``name_or_path``.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return load_description((folder or Path()) / name_or_path)
    shipped = shipped_files("topologies")
    if name_or_path not in shipped:
        raise TopologyError([not_one_of(sorted(shipped), name_or_path, also=["or a path ending in .toml"])])
    return _load_shipped(shipped[name_or_path])


# Only shipped files are cached: they do not change while the program runs, a user's own file may.
_load_shipped = lru_cache(maxsize=None)(load_description)


def _lines(error: ValidationError) -> list[str]:
    problems = error.errors(include_url=False)
    unknown = [problem["loc"] for problem in problems if problem["type"] == "extra_forbidden"]
    lines: list[str] = []
    for problem in problems:
        loc = problem["loc"]
        parts = [str(part) for part in loc if not _is_form(str(part))]
        *parents, key = parts or [""]
        fields = _fields_at(parents)
        if problem["type"] == "extra_forbidden":
            text = unknown_key(key, fields)
        elif problem["type"] == "missing":
            siblings = [str(other[-1]) for other in unknown if [str(part) for part in other[:-1]] == parents]
            if is_misspelt(key, siblings):
                continue  # one mistake, one line: the misspelt key has its own
            text = f"missing; required: {fields[key].description}"
        elif problem["type"] == "model_type":
            text = wrong(problem["input"], "must be a table")
        elif problem["type"] == "quantity":
            text = problem["msg"]
        else:
            found, must = problem["input"], problem["msg"].partition("should ")[2] or problem["msg"]
            named = problem["type"] == "literal_error" and isinstance(found, str)
            hint = did_you_mean(found, re.findall(r"'([^']*)'", must)) if named else ""
            text = wrong(found, f"must {must}{hint}")
        path = ".".join(part if re.fullmatch(r"[\w-]{1,60}", part) else shown(part) for part in parts)
        line = located(path, text)
        if not any(line.partition(": ")[0] == each.partition(": ")[0] for each in lines):
            lines.append(line)  # a number or a list: what is neither fails twice
    return lines


def _is_form(part: str) -> bool:
    """Whether a part of an error's path names a form of a value (a number, a list), not a key."""
    return re.match(r"(constrained-|tuple\[|function-|int$|lax-|nullable)", part) is not None


def _fields_at(path: Iterable[str]) -> dict[str, FieldInfo]:
    model: Any = TopologyDescription
    for key in path:
        if key.isdecimal():  # an entry of a list of tables
            continue
        field = model.model_fields.get(key)
        annotation = field.annotation if field is not None else None
        models = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type)]
        model = next((each for each in models if issubclass(each, BaseModel)), Optics)
    fields: dict[str, FieldInfo] = model.model_fields
    return fields
