"""A worker that dies at any message costs one task once more, and no byte."""

import os
import pickle
from io import BytesIO

import pytest

from dcsim.ledger import Ledgers
from dcsim.montecarlo import WorkerDied
from dcsim.montecarlo.tasks import Task
from dcsim.montecarlo.worker import MOST_TRIES, Worker
from tests.faults.verbs import tree
from tests.faults.workers import DEATHS, TASKS, Fate, run
from tests.unit.montecarlo_fakes import fake, small


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
