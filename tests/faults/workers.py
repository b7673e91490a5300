"""Worker processes that stand in this one and die at a message."""

import pickle
from io import BytesIO
from pathlib import Path
from threading import Lock
from unittest.mock import patch

from dcsim.montecarlo import RunFolder, replicate_many
from dcsim.montecarlo.engines import simulate_many
from dcsim.montecarlo.tasks import Task
from tests.unit.montecarlo_fakes import fake, small

TASKS = 6
DEATHS = ("before it reads", "before it answers", "in the middle of its answer", "after its answer")


class Fate:
    """Which message of all that are sent to workers is one's last, how it dies of it, and how many do in a row."""

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
        """Take a part of a message."""
        if self.dead:
            raise BrokenPipeError
        self.received += content

    def flush(self) -> None:
        """Take the end of a message, and answer it."""
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
        scenarios, engine, simulate = self.job
        answer = simulate_many(engine, scenarios[task.scenario], task.numbers, simulate)
        content = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        if death is not None:
            self.dead = True
            content = content[: {DEATHS[1]: 0, DEATHS[2]: len(content) // 2}.get(death, len(content))]
        at = self.stdout.tell()
        self.stdout.write(content)
        self.stdout.seek(at)

    def kill(self) -> None:
        """End."""
        self.dead = True

    def wait(self) -> None:
        """It has ended."""

    def close(self) -> None:
        """Its pipe holds nothing."""


def run(root: Path, fate: Fate, resume: bool = False) -> None:
    """Run six tasks by two workers of that fate."""
    store = RunFolder(root, small())
    with patch("subprocess.Popen", lambda *_, **__: Process(fate)):
        replicate_many([(small(), store)], TASKS, workers=2, chunk=1, simulate=fake, resume=resume)
