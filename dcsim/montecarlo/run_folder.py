"""The folder of a run: what is finished survives whatever ends the run."""

import hashlib
import platform
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim import files
from dcsim.files import StoreError
from dcsim.ledger import Ledgers
from dcsim.montecarlo import manifest
from dcsim.montecarlo.engines import SIMPY, Engine
from dcsim.montecarlo.manifest import MANIFEST, Manifest
from dcsim.montecarlo.parquet_files import DamagedError, Found, ParquetFiles
from dcsim.montecarlo.tasks import UNSHARDED, Shard
from dcsim.scenario import Scenario
from dcsim.scenario.files import to_files

SCENARIO, REPLICATIONS, ALL, EVENTS = "scenario.toml", "replications", "all.parquet", "events"
OURS = {
    "": re.compile(r"scenario\.toml|outages-[0-9]+\.parquet|runs\.parquet|report\.(html|md|csv|xlsx)|trace\.json"),
    EVENTS: re.compile(r"replication-[0-9]{8,}\.parquet"),
    REPLICATIONS: re.compile(r"(all|part-[0-9]{8,}-[0-9]+(-[0-9a-f]{8})?)\.parquet(\.unread-[0-9]+)?"),
}
"""Folder within the run's -> names that dcsim gives there: what a new run replaces. All else is somebody else's."""
UNREAD = re.compile(r"(.+\.parquet)\.unread-[0-9]+")
"""A file of runs that could not be read once; the next run with ``resume`` tries again."""
MOST_SLUG = 40
SMALL, ENOUGH = 64, 256
"""Parts of fewer replications than the first are put together when they hold as many as the second (assumed)."""


def slug(name: str) -> str:
    """Turn any name into 1-40 characters of a-z, 0-9 and inner hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_SLUG].rstrip("-") or "scenario"


def files_of_runs(folder: Path) -> list[Path]:
    """Return the files with finished runs in the folder of a run: of all, of parts, then those set aside."""
    names = [name for name in files.names_in(folder / REPLICATIONS) if OURS[REPLICATIONS].fullmatch(name)]
    return [
        folder / REPLICATIONS / name for name in sorted(names, key=lambda name: (bool(UNREAD.fullmatch(name)), name))
    ]


class RunFolder:
    """``root/<slug>-<sha8>-<seed>/``: scenario.toml, the manifest and replications/*.parquet of one scenario.

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
        shard: Shard = UNSHARDED,
        command: Sequence[str] = (),
        precision: str | None = None,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self.scenario, self.shard, self.command = scenario, shard, tuple(command)
        self.precision, self.origins = precision, dict(origins or {})
        self.parquet = ParquetFiles(scenario)
        self.engine = SIMPY
        self.versions = {"python": platform.python_version(), "numpy": np.__version__, "simpy": version("simpy")}
        """What the manifest says was at work."""
        name = f"{slug(scenario.name)}-{self.sha256[:8]}-{scenario.seed}"
        self.folder = Path(root) / (name if shard == UNSHARDED else f"{name}.shard-{shard.number}-of-{shard.of}")
        self.notices: list[str] = []
        """What the user should hear: files that were found damaged, and what became of them."""
        self._have = np.zeros(0, dtype=np.bool_)
        self._files: list[Path] = []
        self._small: list[tuple[Path, Ledgers]] = []
        self._wanted = 1
        self._lock: files.Lock | None = None

    @property
    def sha256(self) -> str:
        """Hash of the scenario."""
        return self.parquet.sha256

    @property
    def finished(self) -> NDArray[np.int64]:
        """Numbers of the replications that are on disk, ascending."""
        return np.flatnonzero(self._have)

    def open(self, replications: int, resume: bool = False, engine: Engine = SIMPY) -> list[Ledgers]:
        """Take the folder for a run of ``replications`` (with a shard: of all shards) and return what is kept there.

        With ``resume`` all that is ``finished`` there stays, even more than is wanted; what is damaged is mended as far
        as it can be, with notices. Without, an earlier run of dcsim is replaced, never read. Raises StoreError if
        anything but a run is there, with ``resume`` also if it is a run of anything else.
        """
        self._wanted, self._files, self._small, self.engine = replications, [], [], engine
        self._have = np.zeros(0, dtype=np.bool_)
        kept: list[Ledgers] = []
        files.make_folder(self.folder)
        self._lock = files.Lock(self.folder)
        try:
            found = self._earlier()
            if resume and found is not None:
                kept = self._resumed(found)
            else:
                self._clear()
            self._tidy()
            self._write_manifest()
            self._write_scenario()
            files.make_folder(self.folder / REPLICATIONS)
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
            together = self.folder / REPLICATIONS / ALL
            parts = [path for path in self._files if path != together]
            if parts and complete:
                try:
                    self.parquet.put_together(together, self._files)
                except DamagedError as damage:
                    raise StoreError(together.parent, f"changed while the run went on: {damage}") from damage
                self._remove(parts)
            self._write_manifest()
        finally:
            self._release()

    def merged(self, parts: Sequence[Path], replications: int) -> Path:
        """Take the folder for a run whose replications 0 … n - 1 are in ``parts``, finished, and return it.

        An earlier run is replaced once the new one is written. Raises as ``open``, and DamagedError.
        """
        with files.on_disk(self.folder):
            new = files.kind_of(self.folder) is None
        together = self.folder / REPLICATIONS / ALL
        files.make_folder(self.folder)
        self._lock = files.Lock(self.folder)
        try:
            self._earlier()
            self._tidy()
            files.make_folder(together.parent)
            self.parquet.put_together(together, parts, below=replications)
            self._wanted, self._have = replications, np.ones(replications, dtype=np.bool_)
            self._clear(but=together)
            self._write_scenario()
            self._write_manifest()
        except BaseException:
            if new:
                files.remove_if_empty(together.parent)
                files.remove_if_empty(self.folder)
            raise
        finally:
            self._release()
        return self.folder

    def _grow(self, numbers: int) -> None:
        if numbers > len(self._have):
            self._have = np.concatenate([self._have, np.zeros(max(numbers, 1024), dtype=np.bool_)])

    # --- files of runs --------------------------------------------------------------------------------------------

    def _write_part(self, ledgers: Ledgers) -> Path:
        """Write a part; two parts of the same name hold the same replications."""
        numbers = ledgers.replications
        name = f"part-{numbers[0]:08d}-{len(ledgers)}"
        if (np.diff(numbers) != self.shard.of).any():
            name += f"-{zlib.crc32(numbers.tobytes()):08x}"
        path = self.folder / REPLICATIONS / f"{name}.parquet"
        self.parquet.write(path, iter([ledgers]), one_footer=True)
        self._files.append(path)
        return path

    def _put_small_together(self) -> None:
        """Write many small parts as one, then remove them: a folder of 100,000 files is slow everywhere."""
        paths = [path for path, _ in self._small]
        self._write_part(Ledgers.joined([ledgers for _, ledgers in self._small]))
        self._small.clear()
        self._remove(paths)

    def _remove(self, paths: Sequence[Path]) -> None:
        """Remove files whose runs lie in another one, once that one is sure to stay."""
        files.sync_folder(self.folder / REPLICATIONS)
        for path in paths:
            files.remove(path)
        gone = set(paths)
        self._files = [path for path in self._files if path not in gone]

    def _read(self) -> list[Ledgers]:
        """Read what is finished.

        What is damaged is removed, what cannot be read now is set aside, each with a notice.
        """
        kept: list[Ledgers] = []
        with files.on_disk(self.folder / REPLICATIONS):
            found = files_of_runs(self.folder)
        for path in found:
            aside = UNREAD.fullmatch(path.name)
            try:
                read = self.parquet.read(path)
            except DamagedError as damage:
                self.notices.append(f"{path}: {damage}; removed, its replications are run again")
                files.remove(path)
                continue
            except (OSError, MemoryError) as error:
                why = (isinstance(error, OSError) and error.strerror) or files.NO_MEMORY
                if aside:
                    self.notices.append(f"{path}: still cannot be read ({why}); kept for the next --resume")
                else:
                    self._set_aside(path, why)
                continue
            if read.damaged:
                self._save(path, read)
            else:
                self._files.append(path)
                if aside:
                    self.notices.append(f"{path}: can be read again; its replications are kept")
            kept += read.ledgers
        for ledgers in kept:
            self._grow(int(ledgers.replications[-1]) + 1)
            self._have[ledgers.replications] = True
        return kept

    def _set_aside(self, path: Path, why: str) -> None:
        """Give a file that cannot be read now a name under which nothing replaces it."""
        with files.on_disk(path.parent):
            taken = set(files.names_in(path.parent))
        number = next(number for number in range(1, 2 + len(taken)) if f"{path.name}.unread-{number}" not in taken)
        kept_as = path.with_name(f"{path.name}.unread-{number}")
        files.rename(path, kept_as)
        told = f"cannot be read now ({why}); kept as {kept_as.name}, its replications are run again"
        self.notices.append(f"{path}: {told}")

    def _save(self, path: Path, read: Found) -> None:
        """Write what is whole of a damaged file as parts of its own, then remove the file."""
        for ledgers in read.ledgers:
            self._write_part(ledgers)
        self._remove([path])
        runs = sum(group.runs for group in read.lost)
        told = f"{runs:,} of its replications are damaged and run again" if runs else "its footer is damaged"
        self.notices.append(f"{path}: {told}; the other {sum(map(len, read.ledgers)):,} are kept")

    # --- who owns the folder --------------------------------------------------------------------------------------

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _earlier(self) -> dict[str, Any] | None:
        """Return the manifest of the run that is there, {} where only its files tell of it, None where nothing is."""
        with files.on_disk(self.folder):
            if self._is_blank():
                return None
        try:
            found = manifest.copies(self.folder)
        except StoreError:
            found = manifest.Copies(None, ())
        if found.values is None:
            if not self._has_own_files():
                raise StoreError(
                    self.folder, "is not a run of dcsim and not empty; move it away, or use another folder"
                )
            self.notices.append(f"{self.folder / MANIFEST}: lost; written again from what the files of runs say")
            return {}
        self.notices += [f"{self.folder / told}; written again" for told in found.damaged]
        return found.values

    def _is_blank(self) -> bool:
        """Whether there is nothing in the folder but what a process left that was killed before its first file."""
        rest = [name for name in files.names_in(self.folder) if not files.is_unfinished(name)]
        if rest != [REPLICATIONS] or files.kind_of(self.folder / REPLICATIONS) != "folder":
            return not rest
        return all(map(files.is_unfinished, files.names_in(self.folder / REPLICATIONS)))

    def _has_own_files(self) -> bool:
        """Whether a file of runs in the folder says that it is of this run."""
        with files.on_disk(self.folder):
            found = files_of_runs(self.folder)
        for path in found:
            with suppress(OSError, MemoryError):
                if self.parquet.belongs(path):
                    return True
        return False

    def _resumed(self, earlier: dict[str, Any]) -> list[Ledgers]:
        """Take what is finished of the run that is there.

        Raises StoreError unless it is of this scenario, version and shard, by whatever engine.
        """
        if earlier:
            for key, wanted in self._manifest().identity().items():
                if earlier.get(key) != wanted:
                    told = f"holds a run with {key} {earlier.get(key)!r}, not {wanted!r}; start anew without resume"
                    raise StoreError(self.folder, told)
        if earlier.get("monthly") is False:  # what some of its runs lack, the run lacks
            self.engine = replace(self.engine, monthly=False)
        for name, content in self._scenario_files.items():
            path = self.folder / name
            with suppress(OSError, MemoryError):
                if files.kind_of(path) is not None and files.read_whole(path, 1 << 28) != content:
                    self.notices.append(f"{path}: differs from what dcsim wrote; written again")
        return self._read()

    @cached_property
    def _scenario_files(self) -> dict[str, bytes]:
        """The outages that its traces replay, and the scenario file that names them, by name."""
        text, outages = to_files(self.scenario)
        return {**outages, SCENARIO: text.encode()}

    def _write_scenario(self) -> None:
        """Write the scenario; the files that it names come first."""
        for name, content in self._scenario_files.items():
            files.write_whole(self.folder / name, content)

    def _manifest(self) -> Manifest:
        """Return what the run is: no clock and no machine in it, so that a resumed run leaves the same bytes."""
        content = {
            "scenario_sha256": self.sha256,
            "seed": self.scenario.seed,
            "shard": None if self.shard == UNSHARDED else tuple(self.shard),
            **self.engine.to_json(),
            "replications": manifest.Replications(wanted=self._wanted, finished=int(self._have.sum())),
            **self.versions,
            "command": self.command,
            "precision": self.precision,
            "origins": self.origins,
            "outages": {
                name: hashlib.sha256(content).hexdigest()
                for name, content in self._scenario_files.items()
                if name != SCENARIO
            },
        }
        return Manifest.model_validate(content, strict=False)

    def _write_manifest(self) -> None:
        self._manifest().write(self.folder)

    def _tidy(self) -> None:
        """Remove what processes that were killed left half-written."""
        for folder in (self.folder, self.folder / REPLICATIONS, self.folder / EVENTS):
            with files.on_disk(folder):
                files.remove_unfinished(folder)

    def _clear(self, but: Path | None = None) -> None:
        """Remove an earlier run; the manifest stays until the new one replaces it, so the folder is never nobody's."""
        for inside, ours in OURS.items():
            folder = self.folder / inside
            with files.on_disk(folder):
                if files.kind_of(folder) != "folder":
                    continue
                names = files.names_in(folder)
            for name in names:
                if ours.fullmatch(name) and folder / name != but:
                    files.remove(folder / name)
            if inside and but is None:
                files.remove_if_empty(folder)
