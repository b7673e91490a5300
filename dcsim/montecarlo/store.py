"""The folder of a run: what is finished survives whatever ends the run."""

import json
import os
import platform
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dcsim import __version__
from dcsim.ledger import Accounts, Ledgers
from dcsim.montecarlo.table import SCHEMA, arrow_schema, arrow_table, from_arrow
from dcsim.scenario import Scenario, plan, sha256, to_toml

MANIFEST, SCENARIO, REPLICATIONS, ALL = "manifest.json", "scenario.toml", "replications", "all.parquet"
REPLACED = (SCENARIO, REPLICATIONS, "events", "report.*")
"""What a new run in the same folder removes; anything else in there is not ours to touch."""
MOST_SLUG = 40


class StoreError(Exception):
    """A run folder cannot be used: ``StoreError(path, problem)``."""

    def __str__(self) -> str:
        return "{}: {}".format(*self.args)


def slug(name: str) -> str:
    """Turn any name into 1-40 characters of a-z, 0-9 and inner hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_SLUG].rstrip("-") or "scenario"


class RunStore:
    """``root/<slug>-<sha8>-<seed>/``: scenario.toml, manifest.json and replications/*.parquet of one scenario.

    Each finished replication is a file of its own until ``close`` puts all that are finished into
    ``replications/all.parquet``, by replication, then owner. Its bytes depend on the scenario and on which of its
    replications are finished, on nothing else. All files appear whole or not at all. ``engine`` and ``command`` are for
    the manifest; a command without what changes no result (workers, resume, folder) keeps the manifest the same, too.

    Every method raises StoreError where the folder cannot be used.
    """

    def __init__(self, root: Path, scenario: Scenario, *, engine: str = "simpy", command: Sequence[str] = ()) -> None:
        self.scenario, self.engine, self.command = scenario, engine, tuple(command)
        self.sha256 = sha256(scenario)
        self.folder = Path(root) / f"{slug(scenario.name)}-{self.sha256[:8]}-{scenario.seed}"
        self.notices: list[str] = []
        """What the user should hear: files that were found damaged."""
        self.finished: dict[int, Accounts] = {}
        """What is on disk, by number of the replication."""
        self._parts: list[Path] = []
        self._wanted = 0
        self._lock: int | None = None

    def open(self, replications: int, resume: bool = False) -> None:
        """Take the folder for a run of ``replications``.

        With ``resume`` all that is ``finished`` there stays, even more than is wanted; a damaged file is removed with a
        notice. Without, an earlier run of dcsim is replaced, never read. Raises StoreError if anything but a run is
        there, with ``resume`` also if it is a run of anything else.
        """
        self._wanted, self.finished, self._parts = replications, {}, []
        with on_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()
        try:
            found = self._manifest()
            if resume and found is not None:
                self._same(found)
                self._read()
            else:
                self._clear()
            self._write_manifest()
            write_whole(self.folder / SCENARIO, to_toml(self.scenario).encode())
            with on_disk(self.folder / REPLICATIONS):
                (self.folder / REPLICATIONS).mkdir(exist_ok=True)
        except BaseException:
            self._release()
            raise

    def write(self, accounts: Accounts) -> None:
        """Keep one finished replication."""
        part = self.folder / REPLICATIONS / f"part-{accounts.replication:08d}.parquet"
        self._write_table(part, [accounts])
        self._parts.append(part)
        self.finished[accounts.replication] = accounts

    def close(self) -> None:
        """Leave the folder; if all that was wanted is finished, as one file."""
        try:
            if self.finished and self.finished.keys() >= set(range(self._wanted)):
                self._write_table(self.folder / REPLICATIONS / ALL, list(self.finished.values()))
                for part in self._parts:
                    with on_disk(part):
                        part.unlink(missing_ok=True)
            self._write_manifest()
        finally:
            self._release()

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
            if not path.exists() and all(_is_leftover(child) for child in self.folder.iterdir()):
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
        """Raise StoreError unless the run that is there is of this scenario, engine and version."""
        for key, wanted in self._identity().items():
            if found.get(key) != wanted:
                problem = f"holds a run with {key} {found.get(key)!r}, not {wanted!r}; start anew without resume"
                raise StoreError(self.folder, problem)

    def _identity(self) -> dict[str, Any]:
        return {
            "program": "dcsim",
            "schema": SCHEMA,
            "dcsim": __version__,
            "engine": self.engine,
            "scenario_sha256": self.sha256,
            "seed": self.scenario.seed,
        }

    def _write_manifest(self) -> None:
        """Write what the run is: no clock and no machine in it, so that a resumed run leaves the same bytes."""
        content = {
            **self._identity(),
            "replications": {"wanted": self._wanted, "finished": len(self.finished)},
            "python": platform.python_version(),
            "numpy": np.__version__,
            "simpy": version("simpy"),
            "command": list(self.command),
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

    # --- parquet --------------------------------------------------------------------------------------------------

    @cached_property
    def _owners(self) -> tuple[str, ...]:
        return plan(self.scenario).owners

    def _write_table(self, path: Path, accounts: list[Accounts]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        sink = pa.BufferOutputStream()
        table = arrow_table(Ledgers.of(accounts), arrow_schema(self.sha256, self.scenario.seed))
        parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
        write_whole(path, sink.getvalue())

    def _read(self) -> None:
        """Read what is finished, and remove what cannot be believed or was never finished."""
        folder = self.folder / REPLICATIONS
        with on_disk(folder):
            self._parts = sorted(folder.glob("part-*.parquet"))
            for path in [*folder.glob(ALL), *self._parts]:
                try:
                    self.finished.update({one.replication: one for one in self._accounts(path.read_bytes())})
                except _Damaged as damage:
                    self.notices.append(f"{path}: {damage}; removed, its replications are run again")
                    path.unlink()
            for path in [path for path in folder.iterdir() if _is_leftover(path)]:
                path.unlink()

    def _accounts(self, content: bytes) -> list[Accounts]:
        import pyarrow as pa
        from pyarrow import parquet

        expected = arrow_schema(self.sha256, self.scenario.seed)
        try:
            table = parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read()
        except Exception as error:  # damaged bytes take a decoder anywhere
            raise _Damaged("not a whole parquet file") from error
        if not table.schema.equals(expected) or table.schema.metadata != expected.metadata:
            raise _Damaged("not of this scenario")
        try:
            found = from_arrow(table, self._owners, self.scenario.capacity_gpu_ms)
            return [found.account(index) for index in range(len(found))]
        except Exception as error:
            raise _Damaged(str(error)) from error


class _Damaged(Exception):
    """A file's content cannot be believed."""


def _is_leftover(path: Path) -> bool:
    """Whether a path is what a write that was killed leaves behind."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def write_whole(path: Path, content: Any) -> None:
    """Write bytes so that whoever looks, now or after a crash, sees all of them or the file as it was."""
    beside = path.with_name(f".{path.name}.tmp")
    with on_disk(path):
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a StoreError that names the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(path, error.strerror or str(error)) from error
