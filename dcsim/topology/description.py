"""The topology file: a frozen model of its keys, reading it, and finding it by name or path."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from dcsim.shipped import shipped_files
from dcsim.textfile import NoTextError, read_text
from dcsim.wording import did_you_mean, shown

MAX_GPUS = 10_000_000
"""Largest cluster [GPU]; source: assumed, the scenario contract."""


class TopologyError(Exception):
    """What is wrong with a topology, one line per problem; rebuilt from ``args`` in another process."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


Count = Annotated[int, Field(strict=True, ge=1, le=MAX_GPUS)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(_Table):
    """The smallest unit that is bought and repaired: a compute tray or a server."""

    gpus: Count = Field(description="GPUs per node (compute tray or server)")


class Rack(_Table):
    """What stands in one rack."""

    nodes: Count = Field(description="nodes (compute trays or servers) per rack")


class NVLink(_Table):
    """The scale-up network."""

    domain: Literal["node", "rack"] = Field(description="the part whose GPUs share one NVLink domain")


class TopologyDescription(_Table):
    """One kind of cluster: how GPUs nest in nodes and nodes in racks, whatever the cluster's size."""

    name: str = Field(description="short name", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    description: str = Field(description="one sentence on what it is")
    node: Node = Field(description="the [node] table")
    rack: Rack = Field(description="the [rack] table")
    nvlink: NVLink = Field(description="the [nvlink] table")


def load_description(path: Path) -> TopologyDescription:
    """Read and check a topology file.

    Raises TopologyError with every problem as "file: dotted path: found; allowed; did you mean".
    """
    file = str(path) if str(path).isprintable() else repr(str(path))
    try:
        return TopologyDescription.model_validate(tomllib.loads(read_text(path)))
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


def resolve(name_or_path: str, folder: Path | None = None) -> TopologyDescription:
    """Find a shipped topology by name, or read a path (it has a "/" or ends in ".toml") from ``folder``.

    Raises TopologyError; its lines leave it to the caller to name the key that held ``name_or_path``.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return load_description((folder or Path()) / name_or_path)
    shipped = shipped_files("topologies")
    if name_or_path not in shipped:
        allowed = f"allowed: {', '.join(sorted(shipped))}, or a path ending in .toml"
        raise TopologyError([f"found {shown(name_or_path)}; {allowed}{did_you_mean(name_or_path, shipped)}"])
    return _load_shipped(shipped[name_or_path])


# Only shipped files are cached: they do not change while the program runs, a user's own file may.
_load_shipped = lru_cache(maxsize=None)(load_description)


def _lines(error: ValidationError) -> list[str]:
    problems = error.errors(include_url=False)
    unknown = [problem["loc"] for problem in problems if problem["type"] == "extra_forbidden"]
    lines = []
    for problem in problems:
        *parents, key = where = [str(part) for part in problem["loc"]]
        fields = _fields_at(parents)
        if problem["type"] == "extra_forbidden":
            text = f"unknown key; allowed: {', '.join(fields)}{did_you_mean(key, fields)}"
        elif problem["type"] == "missing":
            siblings = [str(loc[-1]) for loc in unknown if list(loc[:-1]) == parents]
            if any(did_you_mean(sibling, [key]) for sibling in siblings):
                continue  # one mistake, one line: the misspelt key has its own
            text = f"missing; required: {fields[key].description}"
        elif problem["type"] == "model_type":
            text = f"found {shown(problem['input'])}; must be a table"
        else:
            found, must = problem["input"], problem["msg"].partition("should ")[2]
            named = problem["type"] == "literal_error" and isinstance(found, str)
            hint = did_you_mean(found, re.findall(r"'([^']*)'", must)) if named else ""
            text = f"found {shown(found)}; must {must}{hint}"
        path = ".".join(part if re.fullmatch(r"[\w-]{1,60}", part) else shown(part) for part in where)
        lines.append(f"{path}: {text}")
    return lines


def _fields_at(path: Iterable[str]) -> dict[str, FieldInfo]:
    model: type[BaseModel] = TopologyDescription
    for key in path:
        model = cast(type[BaseModel], model.model_fields[key].annotation)
    return model.model_fields
