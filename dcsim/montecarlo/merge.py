"""Shards of a run put together: what one machine would have left, byte by byte."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcsim import __version__
from dcsim.montecarlo.engines import Engine
from dcsim.montecarlo.parts import DamagedError, Parts, StoreError, on_disk
from dcsim.montecarlo.store import ALL, MANIFEST, REPLICATIONS, SCENARIO, RunStore
from dcsim.montecarlo.table import SCHEMA
from dcsim.montecarlo.tasks import Shard
from dcsim.scenario import Scenario, ScenarioError, load, to_toml

FOLDER = re.compile(r"(?P<run>.+)\.shard-(?P<number>[0-9]+)-of-(?P<of>[0-9]+)")
SAME = ("scenario_sha256", "seed")
"""What the shards of a run have in common, beside the number of replications wanted."""
VERSIONS = ("python", "numpy", "simpy")
"""What machines may differ in; the merged manifest names all that were at work."""


class MergeError(Exception):
    """Shards that make no run: ``MergeError(lines)``."""

    @property
    def problems(self) -> tuple[str, ...]:
        """One line each."""
        return tuple(self.args[0])

    def __str__(self) -> str:
        return "\n".join(self.problems)


@dataclass(frozen=True)
class Merged:
    """One run put together: its folder, its scenario, how many replications, of how many shards."""

    folder: Path
    scenario: Scenario
    replications: int
    shards: int


@dataclass(frozen=True)
class _Found:
    """A shard whose manifest can be believed."""

    folder: Path
    run: str
    shard: Shard
    manifest: dict[str, Any]

    @property
    def wanted(self) -> int:
        """Replications of all shards together."""
        return int(self.manifest["replications"]["wanted"])

    @property
    def all_parquet(self) -> Path:
        """The file of its replications."""
        return self.folder / REPLICATIONS / ALL


def merge(given: Sequence[Path], output: Path | None = None) -> list[Merged]:
    """Put the shards of one or more runs together; each run goes into ``output``, or beside its first shard.

    ``given``: folders of shards, or folders that hold some. Everything is read and verified before anything is written.
    A run that is there already is replaced. Raises MergeError with one line for each shard that is missing, there
    twice, of another run, unfinished or damaged; StoreError where a folder cannot be written.
    """
    problems: list[str] = []
    runs: dict[str, list[_Found]] = {}
    for folder in _shards_in(given, problems):
        found = _found(folder, problems)
        if found is not None:
            runs.setdefault(found.run, []).append(found)
    ready = [(shards, _checked(run, shards, problems)) for run, shards in runs.items()]
    if problems:
        raise MergeError(problems)
    return [_written(shards, scenario, output) for shards, scenario in ready if scenario is not None]


# --- what is there ----------------------------------------------------------------------------------------------------


def _shards_in(given: Iterable[Path], problems: list[str]) -> list[Path]:
    """Return the folders of shards: those given, and those in the folders given."""
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            problems.append(f"{path}: no such folder")
            continue
        if (path / MANIFEST).exists() or FOLDER.fullmatch(path.resolve().name):
            found.append(path)
            continue
        with on_disk(path):
            inside = sorted(child for child in path.iterdir() if child.is_dir() and FOLDER.fullmatch(child.name))
        if not inside:
            problems.append(f"{path}: neither a shard of a run nor a folder that holds one")
        found += inside
    return found


def _found(folder: Path, problems: list[str]) -> _Found | None:
    """Read a shard's manifest; say what is wrong with it."""
    name = FOLDER.fullmatch(folder.resolve().name)
    try:
        with on_disk(folder / MANIFEST):
            manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["program"] != "dcsim":
            raise ValueError(manifest["program"])
        wanted, finished = (int(manifest["replications"][key]) for key in ("wanted", "finished"))
        if "shard" not in manifest:
            problems.append(f"{folder}: is a whole run, not a shard of one")
            return None
        if (manifest["schema"], manifest["dcsim"]) != (SCHEMA, __version__):
            problems.append(f"{folder}: of dcsim {manifest['dcsim']}, not {__version__}; merge it with that version")
            return None
        shard = Shard(*map(int, manifest["shard"]))
        if not 1 <= shard.number <= shard.of:
            raise ValueError(shard)
        if not {*SAME, *VERSIONS, "engine", "command"} <= manifest.keys():
            raise ValueError(manifest.keys())
    except StoreError as error:
        problems.append(str(error))
        return None
    except (ValueError, TypeError, LookupError, RecursionError):
        problems.append(f"{folder / MANIFEST}: damaged; run this shard again")
        return None
    if name is None or (int(name["number"]), int(name["of"])) != shard:
        problems.append(f"{folder}: is shard {shard} of a run, but its folder is not called so; rename it back")
        return None
    share = len(shard.numbers(wanted))
    if finished < share:
        problems.append(f"{folder}: not finished: {finished} of {share} replications; run it again with --resume")
        return None
    return _Found(folder, name["run"], shard, manifest)


def _checked(run: str, shards: list[_Found], problems: list[str]) -> Scenario | None:
    """Return the scenario of the shards of one run if they are all there and whole; else say what is wrong."""
    before = len(problems)
    first = shards[0]
    scenario = _scenario(first, problems)
    seen: dict[Shard, Path] = {}
    for each in shards:
        for key in SAME:
            if each.manifest[key] != first.manifest[key]:
                told = f"{key} {each.manifest[key]!r}, not {first.manifest[key]!r}"
                problems.append(f"{each.folder}: of another run than {first.folder}: {told}")
                break
        else:
            if each.wanted != first.wanted:
                told = f"{each.wanted} replications, not {first.wanted}"
                problems.append(f"{each.folder}: of another run than {first.folder}: {told}")
            elif each.shard.of != first.shard.of:
                told = f"one of {each.shard.of} shards, not of {first.shard.of}"
                problems.append(f"{each.folder}: of another run than {first.folder}: {told}")
            elif each.shard in seen:
                problems.append(f"{each.folder}: shard {each.shard} twice; the other is {seen[each.shard]}")
            seen.setdefault(each.shard, each.folder)
    here = {shard.number for shard in seen if shard.of == first.shard.of}
    problems += [
        f"{run}: shard {number}/{first.shard.of} is missing"
        for number in range(1, first.shard.of + 1)
        if number not in here
    ]
    if scenario is None or len(problems) > before:
        return None
    for each in shards:
        _read(each, scenario, problems)
    return scenario


def _scenario(shard: _Found, problems: list[str]) -> Scenario | None:
    """Read the scenario that a shard kept."""
    path = shard.folder / SCENARIO
    try:
        scenario = load(path)
        if Parts(scenario).sha256 == shard.manifest["scenario_sha256"]:
            return scenario
    except (ScenarioError, OSError):
        pass
    problems.append(f"{path}: damaged; run this shard again")
    return None


def _read(shard: _Found, scenario: Scenario, problems: list[str]) -> None:
    """Read all that a shard kept, and say what is wrong with it."""
    kept = shard.folder / SCENARIO
    try:
        with on_disk(kept):
            if kept.read_bytes() != to_toml(scenario).encode():
                problems.append(f"{kept}: damaged; run this shard again")
        with on_disk(shard.all_parquet):
            numbers = np.concatenate([each.replications for each in Parts(scenario).read(shard.all_parquet)])
    except (DamagedError, StoreError) as error:
        told = str(error) if isinstance(error, StoreError) else f"{shard.all_parquet}: {error}"
        problems.append(f"{told}; run this shard again with --resume")
        return
    wanted = np.array(shard.shard.numbers(shard.wanted), dtype=np.int64)
    if not np.isin(wanted, numbers).all() or (numbers % shard.shard.of != shard.shard.number - 1).any():
        problems.append(f"{shard.all_parquet}: not the replications of shard {shard.shard}; run this shard again")


# --- what is written --------------------------------------------------------------------------------------------------


def _written(shards: Sequence[_Found], scenario: Scenario, output: Path | None) -> Merged:
    shards = sorted(shards, key=lambda each: each.shard)
    manifests = [each.manifest for each in shards]
    first = manifests[0]
    root = shards[0].folder.resolve().parent if output is None else output
    store = RunStore(root, scenario, command=first["command"], origins=first.get("origins"))
    whys = list(dict.fromkeys(why for each in manifests for why in each.get("engine_why", ())))
    store.engine = Engine(_both(manifests, "engine"), tuple(whys))
    store.versions = {key: _both(manifests, key) for key in VERSIONS}
    folder = store.merged([each.all_parquet for each in shards], shards[0].wanted)
    return Merged(folder, scenario, shards[0].wanted, len(shards))


def _both(manifests: Sequence[dict[str, Any]], key: str) -> str:
    """Return what shards say of a version: one word where all agree."""
    return ", ".join(sorted({str(each[key]) for each in manifests}))
