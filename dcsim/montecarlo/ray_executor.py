"""Replications as Ray tasks: on the cluster at RAY_ADDRESS, else on a Ray of this machine that ends with the run.

Tasks keep no state. Ray retries nothing by itself: a task whose worker or machine dies is handed out again here, so
that every kind of death counts, and the third one fails the run as it does with workers of this machine.
"""

import os
import pickle
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import dcsim
from dcsim.ledger import Ledgers
from dcsim.montecarlo.engines import Engine, simulate_many
from dcsim.montecarlo.process_pool import cores, named
from dcsim.montecarlo.tasks import Task, Tasks, in_flight
from dcsim.montecarlo.worker import DIED_TOO_OFTEN, MOST_TRIES, WorkerDied, portable
from dcsim.scenario import Scenario

STORE_BYTES = 256 * 2**20
"""Object store of a Ray of this machine: scenarios and answers in flight are a few MiB; source: assumed."""
PATIENCE_S = 5.0
"""How long what is under way may take to end by itself when a run is interrupted [s]; source: assumed."""
CONNECT_S = 10.0
"""How long a cluster's machine may take to accept a connection [s] (Ray itself waits for minutes); source: assumed."""
GOES = 50
"""How often a folder is tried to be removed, 0.1 s apart; source: assumed."""
_MISFIT = (
    "Ray's workers on {1} have {0}, but this is dcsim {2}: install the same version on every machine of the cluster"
)
_LONGEST_BASE = 24
"""Of a folder for a Ray of this machine: its sockets' paths must stay within the 107 bytes that a system allows."""


class RayMissing(Exception):
    """The extra is not installed: ``RayMissing()``."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What to do about it, in one line."""
        return ("--executor ray needs the ray extra: pip install 'dcsim[ray]'",)

    def __str__(self) -> str:
        """Say what to do about it."""
        return self.problems[0]


class ClusterError(Exception):
    """The cluster cannot be used: ``ClusterError(why)``."""


@contextmanager
def cluster(workers: int | None = None) -> Iterator[int]:
    """Hold a connection to Ray and give the number of workers: those asked for, else the CPUs of the cluster.

    A connection that is there already is used and left open, so that blocks may be nested and a caller may use a Ray of
    its own. Only a Ray that was started here is ended. Raises RayMissing and ClusterError.
    """
    if find_spec("ray") is None:
        raise RayMissing
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import: Ray reads it once
    import ray

    if ray.is_initialized():
        yield workers or _cpus()
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    folder = None if address != "local" else _folder()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with _refusals(address):
            if folder is None:
                _reach(address)
                ray.init(address=address, logging_level="error", log_to_driver=False)
            else:
                _start(workers or cores(), folder)
        # Ray puts a handler in its place that prints a stack; as Ctrl-C it ends the run and what was started for it
        _on_sigterm(signal.default_int_handler if before is signal.SIG_DFL else before)
        yield workers or _cpus()
    finally:
        ray.shutdown()
        _on_sigterm(before)
        if folder is not None:
            _remove(folder)


@dataclass(eq=False)
class _Asked:
    """A task that is under way: where its answer will be, what it is then, and how often it was handed out."""

    task: Task
    reference: Any
    tries: int = 1
    answer: Any = None


def answers(
    scenarios: Sequence[Scenario], tasks: Tasks, workers: int, engine: Engine
) -> Generator[tuple[Task, Ledgers], None, None]:
    """Yield every task with its ledgers as it finishes; closing the generator takes back what is under way."""
    with cluster(workers):
        import ray

        # Pickled here, and answers there: arrays that Ray hands out by itself pin its store for as long as they live.
        jobs = [ray.put(pickle.dumps(job)) for job in ((scenario, engine) for scenario in scenarios)]
        home = str(Path(dcsim.__file__).parents[1])
        remote = ray.remote(num_cpus=1, max_retries=0)(_task(dcsim.__version__, home))
        died = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
            ray.exceptions.ObjectLostError,
        )
        pending: dict[Any, _Asked] = {}

        def hand_out(task: Task) -> Any:
            return remote.remote([jobs[task.scenario]], task.numbers)

        def ask(task: Task) -> _Asked:
            asked = _Asked(task, hand_out(task))
            pending[asked.reference] = asked
            return asked

        def first_of(_: Sequence[_Asked]) -> _Asked:
            while True:
                (done, *_rest), _waiting = ray.wait(list(pending), num_returns=1)
                asked = pending.pop(done)
                try:
                    asked.answer = ray.get(done)
                except died:
                    with named(scenarios, asked.task):
                        if asked.tries == MOST_TRIES:
                            raise WorkerDied(DIED_TOO_OFTEN) from None
                    asked.reference, asked.tries = hand_out(asked.task), asked.tries + 1
                    pending[asked.reference] = asked
                    continue
                return asked

        try:
            for task, asked in in_flight(tasks, 2 * workers, ask, first_of):
                if isinstance(asked.answer, tuple):
                    raise ClusterError(_MISFIT.format(*asked.answer, dcsim.__version__))
                found: Ledgers | Exception = pickle.loads(asked.answer)
                if isinstance(found, Exception):
                    with named(scenarios, task):
                        raise found
                yield task, found
        finally:
            with suppress(ray.exceptions.RayError):  # a cluster that is lost has nothing to take back
                # Ray 2.60 aborts this process if a task is taken back while its answer is on its way ("Check failed" in
                # its task manager, about one interrupted run in ten): most tasks end by themselves before that.
                _, running = (
                    ray.wait(list(pending), num_returns=len(pending), timeout=PATIENCE_S) if pending else ((), ())
                )
                for reference in running:
                    ray.cancel(reference, force=True)


# --- the worker's side --------------------------------------------------------------------------------------------


def _task(version: str, home: str) -> Callable[..., bytes | tuple[str, str]]:
    """Return what a worker runs; local to this function it travels whole, so it can tell that dcsim is missing."""

    def replications(job: list[Any], numbers: range) -> bytes | tuple[str, str]:
        import platform
        import sys

        if home not in sys.path:
            sys.path.append(home)  # of a checkout; an installed dcsim comes first
        try:
            from dcsim import __version__ as there
        except ImportError:
            return "no dcsim", platform.node()
        if there != version:
            return f"dcsim {there}", platform.node()
        from dcsim.montecarlo.ray_executor import serve

        return serve(job[0], numbers)

    return replications


def serve(job: Any, numbers: range) -> bytes:
    """Answer one task: the ledgers, or what was raised, pickled. ``job``: a reference to (scenario, engine)."""
    try:
        scenario, engine = _job(job)
        answer: Any = simulate_many(engine, scenario, numbers)
    except Exception as error:
        answer = portable(error)
    return pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=256)
def _job(job: Any) -> tuple[Scenario, Engine]:
    """Return a scenario and its engine; a worker gets each once, and keeps what it has laid out for it."""
    import ray

    found: tuple[Scenario, Engine] = pickle.loads(ray.get(job))
    return found


# --- connections --------------------------------------------------------------------------------------------------


def _start(workers: int, folder: Path) -> None:
    """Start a Ray of this machine, with as many CPUs as workers are wanted."""
    import ray

    known = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    if not any(map(os.environ.get, known)) and not (Path.home() / ".ray/auth_token").exists():
        # who may give it tasks; Ray would write one to the home folder, for everybody to read
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    ray.init(
        address="local",
        num_cpus=workers,
        num_gpus=0,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        logging_level="error",
        log_to_driver=False,
        _temp_dir=str(folder / "ray"),  # Ray opens the folder that it is given to all users
    )


def _reach(address: str) -> None:
    """Raise ClusterError at once if nothing listens there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ClusterError(
            f"RAY_ADDRESS={address} is not HOST:PORT, the address of a Ray cluster ("
            "ray:// and auto are not for dcsim: start it on a machine of the cluster, or by `ray job submit`)"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster at RAY_ADDRESS={address}: {error}") from None


@contextmanager
def _refusals(address: str) -> Iterator[None]:
    """Turn what Ray raises when it does not start or connect into a ClusterError."""
    try:
        yield
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = "" if address == "local" else f" at RAY_ADDRESS={address}"
        raise ClusterError(f"Ray{where} cannot be used: {error}") from error


def _folder() -> Path:
    """Make the folder that holds the one of a Ray of this machine; only this user can look into it."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="dcsim-", dir=base if len(os.fsencode(base)) <= _LONGEST_BASE else "/tmp"))


def _on_sigterm(handler: Any) -> None:
    """Set what SIGTERM does; only the main thread can, and only to what Python knows."""
    if handler is not None and current_thread() is main_thread():
        signal.signal(signal.SIGTERM, handler)


def _remove(folder: Path) -> None:
    """Delete the folder of a Ray that has been shut down: the last of its processes may still be writing there."""
    for _ in range(GOES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _cpus() -> int:
    """Return how many tasks the cluster runs at a time."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))
