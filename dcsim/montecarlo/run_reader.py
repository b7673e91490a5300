"""Reading a run back from its folder: what is finished there; nothing is written."""

import hashlib
from pathlib import Path

import numpy as np

from dcsim.files import NO_MEMORY, StoreError, on_disk, read_whole
from dcsim.ledger import Ledgers
from dcsim.montecarlo.manifest import Manifest
from dcsim.montecarlo.parquet_files import DamagedError, ParquetFiles
from dcsim.montecarlo.run_folder import SCENARIO, UNREAD, files_of_runs
from dcsim.montecarlo.sample import Sample
from dcsim.scenario import Scenario, ScenarioError, load, sha256

MOST_BYTES = 1 << 28
"""Largest file of outages in the folder of a run [B]; source: assumed, twice that of the longest traces."""


def read_sample(folder: Path) -> Sample:
    """Return what is finished of the replications that a run was asked for.

    Raises StoreError for what cannot be believed.
    """
    manifest = Manifest.read(folder)
    scenario = read_scenario(folder, manifest)
    files, kept = ParquetFiles(scenario), list[Ledgers]()
    with on_disk(folder):
        found = [path for path in files_of_runs(folder) if not UNREAD.fullmatch(path.name)]
    for file in found:
        try:
            read = files.read(file)
        except DamagedError as damage:
            raise StoreError(file, f"{damage}; run it again with --resume") from damage
        except (OSError, MemoryError) as error:
            why = (isinstance(error, OSError) and error.strerror) or NO_MEMORY
            raise StoreError(file, f"cannot be read: {why}") from error
        if read.lost:
            lost = sum(group.runs for group in read.lost)
            raise StoreError(file, f"{lost:,} of its replications are damaged; run it again with --resume")
        kept += read.ledgers
    if not any((each.replications < manifest.wanted).any() for each in kept):
        raise StoreError(folder, "no replication is finished; go on with dcsim run … --resume")
    return Sample(scenario, _once(kept, manifest.wanted))


def read_scenario(folder: Path, manifest: Manifest) -> Scenario:
    """Return the scenario of a run; raises StoreError unless it is the one that the manifest tells of."""
    for name, digest in manifest.outages.items():
        try:
            with on_disk(folder / name):
                content = read_whole(folder / name, MOST_BYTES)
        except StoreError as error:
            raise StoreError(folder / name, f"{error.args[1]}; run it again with --resume") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise StoreError(folder / name, "has changed since the run wrote it; run it again with --resume")
    path = folder / SCENARIO
    try:
        with on_disk(path):
            scenario = load(path)
    except ScenarioError as error:
        raise StoreError(path, "is damaged or cannot be read; run it again with --resume") from error
    if manifest.scenario_sha256 != sha256(scenario):
        raise StoreError(path, "is not the scenario of this run; run it again")
    if manifest.seed != scenario.seed:
        raise StoreError(folder, f"its manifest says seed {manifest.seed}, its scenario {scenario.seed}; run it again")
    return scenario


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
