"""The folder of a run: what is finished survives whatever ends the run."""

import json
import os
import platform
import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim import __version__
from dcsim.ledger import Ledgers
from dcsim.montecarlo.engines import SIMPY, Engine
from dcsim.montecarlo.parts import DamagedError, Parts, StoreError, is_leftover, on_disk, write_whole
from dcsim.montecarlo.table import SCHEMA
from dcsim.montecarlo.tasks import WHOLE, Shard
from dcsim.scenario import Scenario, to_toml

MANIFEST, SCENARIO, REPLICATIONS, ALL = "manifest.json", "scenario.toml", "replications", "all.parquet"
REPLACED = (SCENARIO, REPLICATIONS, "runs.parquet", "events", "report.*", "trace.json")
"""What a new run in the same folder removes; anything else in there is not ours to touch."""
MOST_SLUG = 40
SMALL, ENOUGH = 64, 256
"""Parts of fewer replications than the first are put together when they hold as many as the second (assumed)."""


def slug(name: str) -> str:
    """Turn any name into 1-40 characters of a-z, 0-9 and inner hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_SLUG].rstrip("-") or "scenario"


class RunStore:
    """``root/<slug>-<sha8>-<seed>/``: scenario.toml, manifest.json and replications/*.parquet of one scenario.

    Every finished task is a file of its own until ``close`` puts all that are finished into
    ``replications/all.parquet``, by replication, then owner. Its bytes depend on the scenario and on which of its
    replications are finished, on nothing else. All files appear whole or not at all. ``command`` is for the manifest;
    one without what changes no result (workers, resume, folder) keeps the manifest the same, too. So are ``precision``,
    what was asked for, and ``origins``, where each value of the scenario is from. A ``shard`` of a run has a folder of
    its own, ``….shard-1-of-8``.

    Every method raises StoreError where the folder cannot be used.
    """

    def __init__(
        self,
        root: Path,
        scenario: Scenario,
        *,
        shard: Shard = WHOLE,
        command: Sequence[str] = (),
        precision: str | None = None,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self.scenario, self.shard, self.command = scenario, shard, tuple(command)
        self.precision, self.origins = precision, dict(origins or {})
        self.parts = Parts(scenario)
        self.engine = SIMPY
        self.versions = {"python": platform.python_version(), "numpy": np.__version__, "simpy": version("simpy")}
        """What the manifest says was at work."""
        name = f"{slug(scenario.name)}-{self.sha256[:8]}-{scenario.seed}"
        self.folder = Path(root) / (name if shard == WHOLE else f"{name}.shard-{shard.number}-of-{shard.of}")
        self.notices: list[str] = []
        """What the user should hear: files that were found damaged."""
        self._have = np.zeros(0, dtype=np.bool_)
        self._files: list[Path] = []
        self._small: list[tuple[Path, Ledgers]] = []
        self._wanted = 0
        self._lock: int | None = None

    @property
    def sha256(self) -> str:
        """Hash of the scenario."""
        return self.parts.sha256

    @property
    def finished(self) -> NDArray[np.int64]:
        """Numbers of the replications that are on disk, ascending."""
        return np.flatnonzero(self._have)

    def open(self, replications: int, resume: bool = False, engine: Engine = SIMPY) -> list[Ledgers]:
        """Take the folder for a run of ``replications`` (with a shard: of all shards) and return what is kept there.

        With ``resume`` all that is ``finished`` there stays, even more than is wanted; a damaged file is removed with a
        notice. Without, an earlier run of dcsim is replaced, never read. Raises StoreError if anything but a run is
        there, with ``resume`` also if it is a run of anything else.
        """
        self._wanted, self._files, self._small, self.engine = replications, [], [], engine
        self._have = np.zeros(0, dtype=np.bool_)
        kept: list[Ledgers] = []
        with on_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()
        try:
            found = self._manifest()
            if resume and found is not None:
                self._same(found)
                kept = self._read()
            else:
                self._clear()
            self._write_manifest()
            write_whole(self.folder / SCENARIO, to_toml(self.scenario).encode())
            with on_disk(self.folder / REPLICATIONS):
                (self.folder / REPLICATIONS).mkdir(exist_ok=True)
        except BaseException:
            self._release()
            raise
        return kept

    def want(self, replications: int) -> None:
        """Go on to more replications than it was opened for."""
        self._wanted = replications
        self._write_manifest()

    def write(self, ledgers: Ledgers) -> None:
        """Keep finished replications, but for those that are kept already and, of a shard, those of others."""
        numbers = ledgers.replications
        self._grow(int(numbers[-1]) + 1)
        new = ~self._have[numbers] & (numbers % self.shard.of == self.shard.number - 1) & (numbers < self._wanted)
        if not new.any():
            return
        ledgers = ledgers if new.all() else ledgers.chosen(new)
        path = self._write_part(ledgers)
        self._have[ledgers.replications] = True
        if len(ledgers) < SMALL:
            self._small.append((path, ledgers))
            if sum(len(each) for _, each in self._small) >= ENOUGH:
                self._put_small_together()

    def close(self) -> None:
        """Leave the folder; if all that was wanted is finished, as one file."""
        try:
            wanted = self.shard.numbers(self._wanted)
            complete = len(wanted) <= len(self._have) and self._have[np.array(wanted, dtype=np.int64)].all()
            if self._files and complete:
                together = self.folder / REPLICATIONS / ALL
                try:
                    self.parts.put_together(together, [*together.parent.glob(ALL), *self._files])
                except DamagedError as damage:
                    raise StoreError(together.parent, f"changed while the run went on: {damage}") from damage
                self._remove(self._files)
            self._write_manifest()
        finally:
            self._release()

    def merged(self, files: Sequence[Path], replications: int) -> Path:
        """Take the folder for a run whose replications 0 … n − 1 are in ``files``, finished, and return it.

        An earlier run is replaced once the new one is written. Raises as ``open``, and DamagedError.
        """
        new = not self.folder.exists()
        together = self.folder / f".{ALL}.merged.tmp"
        with on_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()
        try:
            self._manifest()
            self.parts.put_together(together, files, below=replications)
            self._wanted, self._have = replications, np.ones(replications, dtype=np.bool_)
            self._clear()
            with on_disk(self.folder):
                (self.folder / REPLICATIONS).mkdir()
                os.replace(together, self.folder / REPLICATIONS / ALL)
            write_whole(self.folder / SCENARIO, to_toml(self.scenario).encode())
            self._write_manifest()
        except BaseException:
            with suppress(OSError):
                together.unlink(missing_ok=True)
                if new:
                    self.folder.rmdir()  # there is nothing in it
            raise
        finally:
            self._release()
        return self.folder

    def _grow(self, numbers: int) -> None:
        if numbers > len(self._have):
            self._have = np.concatenate([self._have, np.zeros(max(numbers, 1024), dtype=np.bool_)])

    # --- parts ----------------------------------------------------------------------------------------------------

    def _write_part(self, ledgers: Ledgers) -> Path:
        path = self.folder / REPLICATIONS / f"part-{ledgers.replications[0]:08d}-{len(ledgers)}.parquet"
        self.parts.write(path, iter([ledgers]))
        self._files.append(path)
        return path

    def _put_small_together(self) -> None:
        """Write many small parts as one, then remove them: a folder of 100,000 files is slow everywhere."""
        paths = [path for path, _ in self._small]
        self._write_part(Ledgers.joined([ledgers for _, ledgers in self._small]))
        self._small.clear()
        self._remove(paths)

    def _remove(self, paths: Sequence[Path]) -> None:
        for path in paths:
            with on_disk(path):
                path.unlink(missing_ok=True)
        gone = set(paths)
        self._files = [path for path in self._files if path not in gone]

    def _read(self) -> list[Ledgers]:
        """Read what is finished, and remove what cannot be believed or was never finished."""
        folder = self.folder / REPLICATIONS
        kept: list[Ledgers] = []
        with on_disk(folder):
            for path in [*folder.glob(ALL), *sorted(folder.glob("part-*.parquet"))]:
                try:
                    found = self.parts.read(path)
                except DamagedError as damage:
                    self.notices.append(f"{path}: {damage}; removed, its replications are run again")
                    path.unlink()
                    continue
                kept += found
                if path.name != ALL:
                    self._files.append(path)
            for path in [path for path in folder.iterdir() if is_leftover(path)]:
                path.unlink()
        for ledgers in kept:
            self._grow(int(ledgers.replications[-1]) + 1)
            self._have[ledgers.replications] = True
        return kept

    # --- who owns the folder --------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Lock the folder until ``close`` or the end of the process, however it ends."""
        import fcntl

        self._lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            raise StoreError(self.folder, "another run is writing here; wait for it, or use another folder") from None
        except OSError:  # a file system without locks: two runs would write the same bytes anyway
            pass

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _manifest(self) -> dict[str, Any] | None:
        """Return the manifest of the run that is there, None for a folder with nothing in it."""
        path = self.folder / MANIFEST
        with on_disk(self.folder):
            if not path.exists() and all(is_leftover(child) for child in self.folder.iterdir()):
                return None
        try:
            with on_disk(path):
                found = json.loads(path.read_bytes()) if path.exists() else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("program") != "dcsim":
            raise StoreError(self.folder, "is not a run of dcsim and not empty; move it away, or use another folder")
        return found

    def _same(self, found: dict[str, Any]) -> None:
        """Raise StoreError unless the run that is there is of this scenario, version and shard, by whatever engine."""
        for key, wanted in ({"shard": None} | self._identity()).items():
            if found.get(key) != wanted:
                problem = f"holds a run with {key} {found.get(key)!r}, not {wanted!r}; start anew without resume"
                raise StoreError(self.folder, problem)

    def _identity(self) -> dict[str, Any]:
        return {
            "program": "dcsim",
            "schema": SCHEMA,
            "dcsim": __version__,
            "scenario_sha256": self.sha256,
            "seed": self.scenario.seed,
            **({} if self.shard == WHOLE else {"shard": list(self.shard)}),
        }

    def _write_manifest(self) -> None:
        """Write what the run is: no clock and no machine in it, so that a resumed run leaves the same bytes."""
        content = {
            **self._identity(),
            **self.engine.to_json(),
            "replications": {"wanted": self._wanted, "finished": int(self._have.sum())},
            **self.versions,
            "command": list(self.command),
            "precision": self.precision,
            "origins": self.origins,
        }
        write_whole(self.folder / MANIFEST, (json.dumps(content, indent=2) + "\n").encode())

    def _clear(self) -> None:
        """Remove an earlier run; the manifest stays until the new one replaces it, so the folder is never nobody's."""
        for pattern in REPLACED:
            for path in self.folder.glob(pattern):
                with on_disk(path):
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
