"""Reading a run back from its folder: what is finished there, and what its manifest says of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcsim import __version__
from dcsim.ledger import Ledgers
from dcsim.montecarlo.engines import Engine
from dcsim.montecarlo.parts import DamagedError, Parts, StoreError, on_disk
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.store import ALL, MANIFEST, REPLICATIONS, SCENARIO
from dcsim.scenario import ScenarioError, load, sha256


@dataclass(frozen=True)
class Manifest:
    """What a run's folder says of it, beside its scenario and its replications.

    ``version``: of dcsim; ``wanted``: replications asked for; ``command``: as it was typed, less what changes no
    result; ``precision``: as it was asked for; ``origins``: where each value of the scenario is from, by key.
    """

    version: str
    engine: Engine
    versions: dict[str, str]
    wanted: int
    command: tuple[str, ...]
    precision: str | None
    origins: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a folder's manifest; raises StoreError where there is none that can be believed."""
        return cls._of(folder, read_manifest(folder))

    @classmethod
    def _of(cls, folder: Path, found: dict[str, Any]) -> "Manifest":
        if "shard" in found:
            raise StoreError(folder, "is a shard of a run: dcsim merge it with the others first")
        if found.get("dcsim") != __version__:
            raise StoreError(
                folder, f"is of dcsim {found.get('dcsim')}, not {__version__}: report it with that version"
            )
        try:
            return cls(
                version=str(found["dcsim"]),
                engine=Engine(found["engine"], tuple(found.get("engine_why") or ())),
                versions={key: str(found[key]) for key in ("python", "numpy", "simpy")},
                wanted=int(found["replications"]["wanted"]),
                command=tuple(map(str, found["command"])),
                precision=found.get("precision"),
                origins={str(key): str(text) for key, text in (found.get("origins") or {}).items()},
            )
        except (LookupError, TypeError, ValueError, AttributeError) as damage:
            raise StoreError(folder / MANIFEST, "damaged; run it again") from damage


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder of dcsim as plain data; raises StoreError where there is none."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise StoreError(folder, "no such folder")
    try:
        with on_disk(path):
            found = json.loads(path.read_bytes()) if path.exists() else None
    except (ValueError, RecursionError):
        raise StoreError(path, "damaged; run it again") from None
    if not isinstance(found, dict) or found.get("program") != "dcsim":
        raise StoreError(folder, "is not a run of dcsim")
    return found


def read_sample(folder: Path) -> Sample:
    """Return what is finished of the replications that a run was asked for; nothing is written.

    Raises StoreError for what cannot be believed.
    """
    found, path = read_manifest(folder), folder / SCENARIO
    try:
        scenario = load(path)
    except (ScenarioError, OSError) as error:
        raise StoreError(path, "damaged; run it again") from error
    if found.get("scenario_sha256") != sha256(scenario):
        raise StoreError(path, "is not the scenario of this run; run it again")
    parts, kept = Parts(scenario), []
    for file in [*folder.joinpath(REPLICATIONS).glob(ALL), *sorted(folder.glob(f"{REPLICATIONS}/part-*.parquet"))]:
        try:
            with on_disk(file):
                kept += parts.read(file)
        except DamagedError as damage:
            raise StoreError(file, f"{damage}; run it again with --resume") from damage
    wanted = int(found["replications"]["wanted"])
    if not any((each.replications < wanted).any() for each in kept):
        raise StoreError(folder, "no replication is finished; go on with dcsim run … --resume")
    return Sample(scenario, _once(kept, wanted))


def _once(parts: list[Ledgers], wanted: int) -> Ledgers:
    """Join parts; a run that was interrupted while its files were put together has some replications twice."""
    joined: list[Ledgers] = []
    seen = np.zeros(0, dtype=np.int64)
    for each in parts:
        new = ~np.isin(each.replications, seen) & (each.replications < wanted)
        if new.any():
            joined.append(each.chosen(new))
            seen = np.concatenate([seen, joined[-1].replications])
    return Ledgers.joined(joined)
