"""What the folder of a run says of itself: ``manifest.json``, and a second copy beside it.

Each copy carries a checksum of itself. One that is damaged is never believed, and the other one takes its place.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dcsim import __version__
from dcsim.files import NO_MEMORY, StoreError, kind_of, on_disk, read_whole, write_whole
from dcsim.montecarlo.arrow_ledgers import SCHEMA
from dcsim.montecarlo.engines import Engine
from dcsim.montecarlo.tasks import UNSHARDED, Shard

MANIFEST, BACKUP = "manifest.json", "manifest.backup.json"
CHECKSUM = "sha256"
"""Key of a manifest: the hash of all the rest."""
MOST_BYTES = 1 << 26
"""Largest manifest [B]; source: assumed, ten times that of a scenario of 1 MiB with the origin of every value."""
MOST_RUNS = 10**9
"""Most runs that a manifest may tell of; source: assumed, a hundred times what ``-n`` takes."""
OTHER_PROGRAM = "is not a run of dcsim"

Word = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=1 << 20)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Replications(BaseModel):
    """How many runs were asked for, and how many were finished when the run was left."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    wanted: int = Field(ge=1, le=MOST_RUNS)
    finished: int = Field(ge=0, le=MOST_RUNS)


class Manifest(BaseModel):
    """What a run's folder says of it, beside its scenario and its replications.

    ``schema``: of the files. ``dcsim``, ``python``, ``numpy``, ``simpy``: versions. ``shard``: [k, n], of a shard.
    ``command``: as it was typed, less what changes no result. ``precision``: as it was asked for. ``origins``: where
    each value of the scenario is from, by key. ``outages``: SHA-256 of the files that hold what its traces replay, by
    name. ``monthly``: whether the runs have their months and causes.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    program: Literal["dcsim"] = "dcsim"
    files: int = Field(default=SCHEMA, alias="schema")
    version: Word = Field(default=__version__, alias="dcsim")
    scenario_sha256: Hash
    seed: int = Field(ge=0, lt=2**63)
    shard: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=99_999)]] | None = None
    engine_name: Word = Field(alias="engine")
    engine_why: tuple[Text, ...] = ()
    monthly: bool = True
    replications: Replications
    python: Word
    numpy: Word
    simpy: Word
    command: tuple[Text, ...] = ()
    precision: Word | None = None
    origins: dict[str, str] = {}
    outages: dict[Annotated[str, Field(pattern=r"^outages-[0-9]{1,8}\.parquet$")], Hash] = {}

    @property
    def wanted(self) -> int:
        """Replications asked for, of all shards together."""
        return self.replications.wanted

    @property
    def versions(self) -> dict[str, str]:
        """What was at work beside dcsim."""
        return {"python": self.python, "numpy": self.numpy, "simpy": self.simpy}

    @property
    def engine(self) -> Engine:
        """The engine, and why it is not compiled."""
        return Engine(self.engine_name, self.engine_why, self.monthly)

    @property
    def share(self) -> Shard:
        """Which part of a run it is."""
        return UNSHARDED if self.shard is None else Shard(*self.shard)

    def identity(self) -> dict[str, Any]:
        """Return what two manifests of one run have in common, by key."""
        keys = {"program", "files", "version", "scenario_sha256", "seed", "shard"}
        return self.model_dump(mode="json", by_alias=True, include=keys)

    def write(self, folder: Path) -> None:
        """Write both copies; raises StoreError."""
        left_out = {key for key in ("shard", "engine_why", "outages") if not getattr(self, key)}
        left_out |= {"monthly"} if self.monthly else set()
        write_both(folder, self.model_dump(mode="json", by_alias=True, exclude=left_out))

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a folder's manifest; raises StoreError where none can be believed, and for a shard of a run."""
        found = cls.of(folder, read_manifest(folder))
        if found.shard is not None:
            raise StoreError(folder, "is a shard of a run: dcsim merge it with the others first")
        return found

    @classmethod
    def of(cls, folder: Path, values: Mapping[str, Any], wanted: str = "report it") -> "Manifest":
        """Turn what a manifest says into a Manifest.

        Raises StoreError for another version, to do what is ``wanted`` with that one, and for nonsense.
        """
        if values.get("dcsim") != __version__:
            told = f"is of dcsim {values.get('dcsim')}, not {__version__}: {wanted} with that version"
            raise StoreError(folder, told)
        if values.get("schema") != SCHEMA:
            told = f"its files have schema {values.get('schema')!r}, not {SCHEMA}; run it again"
            raise StoreError(folder, told)
        try:
            return cls.model_validate_json(json.dumps(values))
        except ValidationError as error:
            first = error.errors()[0]
            told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise StoreError(folder / MANIFEST, f"damaged: {told}; run it again") from None


class Copies(NamedTuple):
    """What a folder's manifest says, None where there is none; and which copies are damaged, in words."""

    values: dict[str, Any] | None
    damaged: tuple[str, ...]


def write_both(folder: Path, values: Mapping[str, Any]) -> None:
    """Write a manifest and its second copy; raises StoreError."""
    signed = {**values, CHECKSUM: _checksum(values)}
    content = (json.dumps(signed, indent=2) + "\n").encode()
    for name in (MANIFEST, BACKUP):
        write_whole(folder / name, content)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder of dcsim as plain data; raises StoreError where there is none."""
    with on_disk(folder):
        if kind_of(folder) is None:
            raise StoreError(folder, "no such folder")
    found = copies(folder)
    if found.values is None:
        raise StoreError(folder, "; ".join(found.damaged) or OTHER_PROGRAM)
    return found.values


def copies(folder: Path) -> Copies:
    """Read both copies, and return what the better one says.

    Raises StoreError where ``manifest.json`` is another program's.
    """
    found: list[dict[str, Any] | None] = []
    damaged: list[str] = []
    other: dict[str, Any] | None = None
    for name in (MANIFEST, BACKUP):
        try:
            read = json.loads(read_whole(folder / name, MOST_BYTES))
            values = read if isinstance(read, dict) else None
            if values is None:
                damaged.append(f"{name} is damaged")
        except FileNotFoundError:
            values = None
        except (OSError, MemoryError) as error:
            why = (isinstance(error, OSError) and error.strerror) or NO_MEMORY
            damaged.append(f"{name} cannot be read: {why}")
            values = None
        except (ValueError, RecursionError):
            damaged.append(f"{name} is damaged")
            values = None
        if values is not None and CHECKSUM in values:
            if values.pop(CHECKSUM) != _checksum(values) or values.get("program") != "dcsim":
                damaged.append(f"{name} is damaged")
                values = None
        elif values is not None and (values.get("program"), values.get("schema")) == ("dcsim", SCHEMA):
            damaged.append(f"{name} is damaged")  # it has lost its checksum
            values = None
        elif values is not None and values.get("program") != "dcsim" and name == MANIFEST:
            other, values = values, None
        found.append(values)
    best = next((each for each in found if each is not None), None)
    if other is not None:
        if best is None or 2 * sum(other.get(key) == value for key, value in best.items()) < len(best):
            raise StoreError(folder, OTHER_PROGRAM)
        damaged.append(f"{MANIFEST} is damaged")  # most of it is what the other copy says
    if best is not None:
        damaged += [f"{name} is not there" for name, each in zip((MANIFEST, BACKUP), found, strict=True)
                    if each is None and not any(told.startswith(f"{name} ") for told in damaged)]  # fmt: skip
    return Copies(best, tuple(damaged))


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
