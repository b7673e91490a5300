"""Shards of a run put together: what one machine would have left, byte by byte."""

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcsim.files import NO_MEMORY, StoreError, kind_of, names_in, on_disk
from dcsim.montecarlo.engines import Engine
from dcsim.montecarlo.manifest import MANIFEST, Manifest, read_manifest
from dcsim.montecarlo.parquet_files import DamagedError, ParquetFiles
from dcsim.montecarlo.run_folder import ALL, REPLICATIONS, RunFolder
from dcsim.montecarlo.run_reader import read_scenario
from dcsim.montecarlo.tasks import Shard
from dcsim.scenario import Scenario
from dcsim.wording import offered

FOLDER = re.compile(r"(?P<run>.+)\.shard-(?P<number>[0-9]+)-of-(?P<of>[0-9]+)")
SAME = ("scenario_sha256", "seed")
"""What the shards of a run have in common, beside the number of replications wanted."""


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
    manifest: Manifest

    @property
    def wanted(self) -> int:
        """Replications of all shards together."""
        return self.manifest.wanted

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
    refused: set[tuple[str, int]] = set()  # they are told already; nobody should look for them
    for folder in _shards_in(given, problems):
        found = _found(folder, problems)
        name = FOLDER.fullmatch(folder.resolve().name)
        if found is not None:
            runs.setdefault(found.run, []).append(found)
        elif name is not None:
            refused.add((name["run"], int(name["number"])))
    ready = [(shards, _checked(run, shards, refused, problems)) for run, shards in runs.items()]
    if problems:
        raise MergeError(problems)
    return [_written(shards, scenario, output) for shards, scenario in ready if scenario is not None]


# --- what is there ----------------------------------------------------------------------------------------------------


def _shards_in(given: Iterable[Path], problems: list[str]) -> list[Path]:
    """Return the folders of shards: those given, and those in the folders given."""
    found: list[Path] = []
    for path in given:
        with on_disk(path):
            kind, names = kind_of(path.resolve()), []
            if kind == "folder":
                names = names_in(path)
        if kind != "folder":
            problems.append(f"{path}: {'no such folder' if kind is None else f'is a {kind}, not a folder'}")
            continue
        if MANIFEST in names or FOLDER.fullmatch(path.resolve().name):
            found.append(path)
            continue
        inside = [path / name for name in names if FOLDER.fullmatch(name) and (path / name).is_dir()]
        if not inside:
            with on_disk(path):
                runs = [path / name / "runs" for name in names if _has_shards(path / name / "runs")]
            near = offered([str(each) for each in runs])
            problems.append(f"{path}: neither a shard of a run nor a folder that holds one{near}")
        found += inside
    return found


def _has_shards(folder: Path) -> bool:
    """Whether it is there and holds shards, as that of a sweep does."""
    return folder.is_dir() and any(map(FOLDER.fullmatch, names_in(folder)))


def _found(folder: Path, problems: list[str]) -> _Found | None:
    """Read a shard's manifest; say what is wrong with it."""
    name = FOLDER.fullmatch(folder.resolve().name)
    try:
        manifest = Manifest.of(folder, read_manifest(folder), "merge it")
    except StoreError as error:
        problems.append(str(error))
        return None
    shard = manifest.share
    if manifest.shard is None:
        problems.append(f"{folder}: is a whole run, not a shard of one")
        return None
    if name is None or (int(name["number"]), int(name["of"])) != shard:
        problems.append(f"{folder}: is shard {shard} of a run, but its folder is not called so; rename it back")
        return None
    share, finished = len(shard.numbers(manifest.wanted)), manifest.replications.finished
    if share == 0:
        problems.append(f"{folder}: no replication is of shard {shard}: {manifest.wanted} are wanted in all")
        return None
    if finished < share:
        problems.append(f"{folder}: not finished: {finished} of {share} replications; run it again with --resume")
        return None
    return _Found(folder, name["run"], shard, manifest)


def _checked(
    run: str, shards: list[_Found], refused: Container[tuple[str, int]], problems: list[str]
) -> Scenario | None:
    """Return the scenario of the shards of one run if they are all there and whole; else say what is wrong."""
    before = len(problems)
    first = shards[0]
    scenario = _scenario(shards, problems)
    seen: dict[Shard, Path] = {}
    for each in shards:
        for key in SAME:
            here, there = getattr(each.manifest, key), getattr(first.manifest, key)
            if here != there:
                told = f"{key} {here!r}, not {there!r}"
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
    numbers = {shard.number for shard in seen if shard.of == first.shard.of}
    problems += [
        f"{run}: shard {number}/{first.shard.of} is missing"
        for number in range(1, first.shard.of + 1)
        if number not in numbers
        and (run, number) not in refused
        and len(Shard(number, first.shard.of).numbers(first.wanted))  # of more shards than replications, some have none
    ]
    if scenario is None or len(problems) > before:
        return None
    for each in shards:
        _read(each, scenario, problems)
    return scenario


def _scenario(shards: Sequence[_Found], problems: list[str]) -> Scenario | None:
    """Return the scenario that all shards kept, by the first copy that is whole."""
    told: list[str] = []
    for each in shards:
        try:
            return read_scenario(each.folder, each.manifest)
        except StoreError as error:
            told.append(str(error))
    problems += told
    return None


def _read(shard: _Found, scenario: Scenario, problems: list[str]) -> None:
    """Read all that a shard kept, and say what is wrong with it."""
    again = "run this shard again with --resume"
    try:
        found = ParquetFiles(scenario).read(shard.all_parquet)
    except DamagedError as error:
        problems.append(f"{shard.all_parquet}: {error}; {again}")
        return
    except (OSError, MemoryError) as error:
        why = (isinstance(error, OSError) and error.strerror) or NO_MEMORY
        problems.append(f"{shard.all_parquet}: {why}; {again}")
        return
    if found.lost:
        lost = sum(group.runs for group in found.lost)
        problems.append(f"{shard.all_parquet}: {lost:,} of its replications are damaged; {again}")
        return
    numbers = np.concatenate([each.replications for each in found.ledgers])
    own = np.array(shard.shard.numbers(min(shard.wanted, shard.shard.of * (len(numbers) + 1))), dtype=np.int64)
    others = numbers % shard.shard.of != shard.shard.number - 1
    if len(own) > len(numbers) or not np.isin(own, numbers).all() or others.any():
        problems.append(f"{shard.all_parquet}: not the replications of shard {shard.shard}; {again}")


# --- what is written --------------------------------------------------------------------------------------------------


def _written(shards: Sequence[_Found], scenario: Scenario, output: Path | None) -> Merged:
    shards = sorted(shards, key=lambda each: each.shard)
    manifests = [each.manifest for each in shards]
    first = manifests[0]
    root = shards[0].folder.resolve().parent if output is None else output
    merged = RunFolder(root, scenario, command=first.command, origins=first.origins)
    whys = list(dict.fromkeys(why for each in manifests for why in each.engine_why))
    merged.engine = Engine(
        _all_of([each.engine_name for each in manifests]), tuple(whys), all(each.monthly for each in manifests)
    )
    merged.versions = {key: _all_of([each.versions[key] for each in manifests]) for key in merged.versions}
    folder = merged.merged([each.all_parquet for each in shards], shards[0].wanted)
    return Merged(folder, scenario, shards[0].wanted, len(shards))


def _all_of(words: Sequence[str]) -> str:
    """Return what shards say of a version: one word where all agree."""
    return ", ".join(sorted(set(words)))
