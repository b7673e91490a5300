"""A process that simulates one task after the other for another process.

A plain child with two pipes instead of ``multiprocessing``: it never imports the caller's main module again (a script
without a ``__main__`` guard works), it lies outside the terminal's process group (Ctrl-C reaches the parent alone), the
death of one worker costs one task and not the pool, and it ends with its parent, however that ends.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

from dcsim.ledger import Ledgers
from dcsim.montecarlo.engines import Engine, Simulate, simulate_many
from dcsim.montecarlo.tasks import Task
from dcsim.scenario import Scenario

_START = """
import os, pickle, sys
try:
    sys.path[:] = pickle.load(sys.stdin.buffer)
    from dcsim.montecarlo.worker import serve
    serve()
except (BrokenPipeError, EOFError, KeyboardInterrupt, pickle.UnpicklingError):
    os._exit(1)  # the parent has ended: nobody is there to be told
"""
MOST_TRIES = 3
"""How many workers one task may cost before the run fails."""
DIED_TOO_OFTEN = f"{MOST_TRIES} worker processes ended without an answer (killed, or out of memory)"

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Each worker has one core: numpy's own threads would only cost memory."""


class WorkerDied(Exception):
    """A worker process ended without an answer: ``WorkerDied(what happened)``."""


class Worker:
    """The parent's side: starts the process and asks it. ``job``: what ``serve`` reads first, pickled."""

    def __init__(self, job: bytes) -> None:
        # A child inherits what is blocked: its first line in Python comes too late to refuse a Ctrl-C for itself.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_ONE_THREAD | os.environ,
                process_group=0,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._job = job

    def ask(self, task: Task) -> Ledgers:
        """Have one task simulated.

        Raises WorkerDied if the process ends first, else what the simulation raised.
        """
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        try:
            requests.write(self._job + pickle.dumps(task))
            self._job = b""
            requests.flush()
            answer: Ledgers | Exception = pickle.load(answers)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerDied("a worker process ended without an answer") from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self) -> None:
        """End the process at once; ``ask`` in another thread then raises WorkerDied."""
        self._process.kill()

    def close(self) -> None:
        """End the process and give back its pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # what the dead have not read
                pipe.close()


class Crew:
    """Workers for as many threads as ask: each is started when it is first needed and replaced when it dies."""

    def __init__(self, scenarios: Sequence[Scenario], engine: Engine, simulate: Simulate | None) -> None:
        self._job = pickle.dumps(sys.path) + pickle.dumps((tuple(scenarios), engine, simulate))
        self._all: list[Worker] = []
        self._idle: list[Worker] = []
        self._stopped = False

    def ask(self, task: Task) -> Ledgers:
        """Have one task simulated, by another worker if the first dies.

        Raises WorkerDied if three do, for then it is the task that kills them; else what the simulation raised.
        """
        for _ in range(MOST_TRIES):
            worker = self._free_worker()
            try:
                ledgers = worker.ask(task)
            except WorkerDied:
                continue
            self._idle.append(worker)
            return ledgers
        raise WorkerDied(DIED_TOO_OFTEN)

    def _free_worker(self) -> Worker:
        with suppress(IndexError):  # another thread may take the last one
            return self._idle.pop()
        worker = Worker(self._job)
        self._all.append(worker)
        if self._stopped:  # looked at after the worker is in the list, so stop sees one of the two
            worker.kill()
        return worker

    def stop(self) -> None:
        """End all workers at once, and refuse to start others."""
        self._stopped = True
        for worker in list(self._all):
            worker.kill()

    def close(self) -> None:
        """Give back what the workers hold; nobody asks any more."""
        for worker in self._all:
            worker.close()


def serve() -> None:
    """The worker's side: answer tasks until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever prints must not get between the answers
        scenarios, engine, simulate = pickle.load(sys.stdin.buffer)
        tasks: SimpleQueue[Task] = SimpleQueue()
        Thread(target=_receive, args=(tasks,), daemon=True).start()
        while True:
            task = tasks.get()
            try:
                answer: Any = simulate_many(engine, scenarios[task.scenario], task.numbers, simulate)
            except Exception as error:
                answer = portable(error)
            pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _receive(tasks: "SimpleQueue[Task]") -> None:
    """Queue what the parent asks; end the process with the parent, even in the middle of a task."""
    try:
        while True:
            tasks.put(pickle.load(sys.stdin.buffer))
    except (EOFError, OSError, pickle.UnpicklingError):
        signal.raise_signal(signal.SIGKILL)


def portable(error: Exception) -> Exception:
    """Return the error if it survives the pipe, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
