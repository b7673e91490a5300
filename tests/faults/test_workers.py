"""A worker that dies at any message costs one task once more, and no byte."""

import os
import pickle
from io import BytesIO
from threading import Lock
from unittest.mock import patch

import pytest

from dcsim.ledger import Ledgers
from dcsim.montecarlo import RunFolder, WorkerDied, replicate_many
from dcsim.montecarlo.engines import simulate_many
from dcsim.montecarlo.tasks import Task
from dcsim.montecarlo.worker import MOST_TRIES, Worker
from tests.faults.verbs import tree
from tests.unit.montecarlo_fakes import fake, small

TASKS = 6
DEATHS = ("before it reads", "before it answers", "in the middle of its answer", "after its answer")


class Fate:
    """Which message of all that are sent to workers is whose last, and how the worker dies of it."""

    def __init__(self, first: int, how: str, times: int = 1) -> None:
        self.deadly, self.how = range(first, first + times), how
        self.sent = self.started = 0
        self.asked: list[Task] = []
        self._lock = Lock()

    def next(self, task: Task) -> str | None:
        """Take the next message; return how its worker dies of it."""
        with self._lock:
            self.sent += 1
            self.asked.append(task)
            return self.how if self.sent in self.deadly else None


class Process:
    """Stands for a worker process: it reads messages and answers them within this one."""

    def __init__(self, fate: Fate) -> None:
        self.fate, self.stdin, self.stdout = fate, self, BytesIO()
        self.received, self.job = b"", None
        self.dead = False
        fate.started += 1

    def write(self, content: bytes) -> None:
        if self.dead:
            raise BrokenPipeError
        self.received += content

    def flush(self) -> None:
        message = BytesIO(self.received)
        self.received = b""
        if self.job is None:
            pickle.load(message)
            self.job = pickle.load(message)
        task = pickle.load(message)
        death = self.fate.next(task)
        if death == DEATHS[0]:
            self.dead = True
            raise BrokenPipeError
        scenarios, engines, simulate = self.job
        answer = simulate_many(engines[task.scenario], scenarios[task.scenario], task.numbers, simulate)
        content = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        if death is not None:
            self.dead = True
            content = content[: {DEATHS[1]: 0, DEATHS[2]: len(content) // 2}.get(death, len(content))]
        at = self.stdout.tell()
        self.stdout.write(content)
        self.stdout.seek(at)

    def kill(self) -> None:
        self.dead = True

    def wait(self) -> None:
        """It has ended."""

    def close(self) -> None:
        """Its pipe holds nothing."""


def run(root, fate, resume=False):
    """Run six tasks by two workers of that fate."""
    store = RunFolder(root, small())
    with patch("subprocess.Popen", lambda *_, **__: Process(fate)):
        replicate_many([(small(), store)], TASKS, workers=2, chunk=1, simulate=fake, resume=resume)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a run leaves that nothing disturbs."""
    root = tmp_path_factory.mktemp("undisturbed")
    fate = Fate(0, "")
    run(root, fate)
    assert (fate.sent, fate.started in (1, 2)) == (TASKS, True)
    return tree(root)


@pytest.mark.parametrize("how", DEATHS)
@pytest.mark.parametrize("at", range(1, TASKS + 1))
def test_a_worker_that_dies_at_any_message(tmp_path, undisturbed, at, how):
    """Its task is asked once more, of another worker, unless it was answered; the files are the same."""
    fate = Fate(at, how)
    run(tmp_path, fate)
    assert tree(tmp_path) == undisturbed
    numbers = [task.first for task in fate.asked]
    again = [number for number in set(numbers) if numbers.count(number) > 1]
    assert len(again) <= 1
    assert (how == DEATHS[3]) == (not again)


@pytest.mark.parametrize("at", range(1, TASKS + 1))
def test_workers_that_die_too_often(tmp_path, undisturbed, at):
    """From some message on every worker dies: the run ends with an error, what was answered stays, resuming ends it."""
    fate = Fate(at, DEATHS[1], times=10**6)
    with pytest.raises(WorkerDied, match=f"{MOST_TRIES} worker processes ended"):
        run(tmp_path, fate)
    kept = {int(number) for path in tmp_path.rglob("part-*") for number in [path.name.split("-")[1]]}
    again = Fate(0, "")
    run(tmp_path, again, resume=True)
    missing = set(range(TASKS)) - kept
    assert {task.first for task in again.asked} == (missing if len(missing) > 1 else set())  # one needs no worker
    assert tree(tmp_path) == undisturbed


def test_an_answer_cut_off_at_any_byte(monkeypatch):
    """However little of an answer arrives, it is a worker's death and nothing else."""
    content = pickle.dumps(Ledgers.of([fake(small(), 0)]), protocol=pickle.HIGHEST_PROTOCOL)

    class Cut:
        stdin = open(os.devnull, "wb")  # noqa: SIM115  # closed below

        def __init__(self, length):
            self.stdout = BytesIO(content[:length])

    for length in range(len(content)):
        monkeypatch.setattr("subprocess.Popen", lambda *_, length=length, **__: Cut(length))
        with pytest.raises(WorkerDied):
            Worker(b"").ask(Task(0, 0, 1))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: Cut(len(content)))
    assert Worker(b"").ask(Task(0, 0, 1)).replications.tolist() == [0]
    Cut.stdin.close()
