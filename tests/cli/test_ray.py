"""--executor ray: the same integers as by this machine's own workers, whatever dies, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

import dcsim as package
from dcsim import load
from dcsim.engine import simulate
from dcsim.montecarlo import WorkerDied, on_ray
from dcsim.montecarlo.tasks import Task

pytest.importorskip("ray", reason="the ray extra is not installed")
pytestmark = pytest.mark.xdist_group("ray")  # one worker, one Ray
ROOT = Path(__file__).parents[2]
WORKING = "ray::replications"  # what Ray calls a worker while it has a task of ours
LIMIT_S = 60


@pytest.fixture(scope="module")
def ray():
    """A Ray of this machine that the tests share, as a caller's own: runs use it and leave it open."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("RAY_ADDRESS", raising=False)
        patched.setenv("PYTHONPATH", str(ROOT))
        with on_ray.cluster(2) as workers:
            assert workers == 2
            import ray

            yield ray


class Deadly:
    """Stands for a scenario, and ends the worker that opens it."""

    name = "deadly"

    def __reduce__(self):
        return os._exit, (1,)


class Wrong:
    """Stands for a scenario, and raises in the worker that opens it."""

    name = "wrong"

    def __reduce__(self):
        return float, ("nonsense",)


def answers(scenario, tasks):
    """Replications of one scenario, one a task, by two workers."""
    return on_ray.answers([scenario], (Task(0, number, 1) for number in tasks), 2, ["simpy"])


def processes(holds):
    """The running processes whose command line holds these words, and the state of each."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and holds.encode() in (folder / "cmdline").read_bytes():
                found[int(folder.name)] = state
        except OSError:  # it has just ended
            continue
    return found


def until(condition):
    """Wait for something true of a function, and return it."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.005)
    return found


def halted(process):
    """Stop a worker and return it if it stands still in the middle of a task; else let it go on."""
    os.kill(process, signal.SIGSTOP)
    until(lambda: processes("ray::").get(process) == "T")
    if process in processes(WORKING):
        return process
    os.kill(process, signal.SIGCONT)
    return None


def test_a_killed_worker_costs_nothing(ray):
    """A task whose worker is killed in the middle of it is handed out again and gives the same accounts."""
    scenario = load("pretrain-5184/gold")
    running = answers(scenario, range(12))
    found = dict([next(running)])

    while not (victim := halted(next(iter(until(lambda: processes(WORKING)))))):
        continue
    os.kill(victim, signal.SIGKILL)
    found |= dict(running)
    assert {task.first for task in found} == set(range(12))
    for task, ledgers in found.items():
        number = task.first
        accounts, expected = ledgers.account(0), simulate(scenario, number)
        assert len(ledgers) == 1
        assert (accounts.replication, accounts.failures, accounts.drawn) == (number, expected.failures, expected.drawn)
        assert (accounts.gpu_ms == expected.gpu_ms).all()


def test_three_deaths_fail_the_run(ray):
    """A replication that kills three Ray workers fails as one that kills three local ones does, and is named."""
    with pytest.raises(WorkerDied) as died:
        list(answers(Deadly(), [4]))
    assert str(died.value) == "3 worker processes ended without an answer (killed, or out of memory)"
    assert died.value.__notes__ == ["in replication 4 of 'deadly'"]


def test_an_error_comes_through(ray):
    """What a simulation raises is raised here, with a note of the replication."""
    with pytest.raises(ValueError, match="could not convert string to float: 'nonsense'") as raised:
        list(answers(Wrong(), [5]))
    assert raised.value.__notes__ == ["in replication 5 of 'wrong'"]


def test_few_tasks_are_under_way_at_a_time(ray):
    """Of endless tasks two a worker are taken, one more for each answer; what is under way ends with the generator."""
    numbers = count()
    running = answers(load("pretrain-5184/gold"), numbers)
    next(running)
    next(running)
    assert next(numbers) == 2 * 2 + 2
    running.close()
    until(lambda: not processes(WORKING))


def test_another_version_is_refused(ray, monkeypatch):
    """Workers that have another dcsim fail the run with a line that names both."""
    there = package.__version__
    monkeypatch.setattr(package, "__version__", "9.9.9")
    wanted = rf"^Ray's workers on \S+ have dcsim {re.escape(there)}, but this is dcsim 9\.9\.9: install the same"
    with pytest.raises(on_ray.ClusterError, match=wanted):
        list(answers(load("pretrain-5184/gold"), [0]))


def test_workers_without_dcsim_are_told(tmp_path):
    """What a worker runs travels whole: where dcsim is missing, it can still say so."""
    from ray import cloudpickle

    (tmp_path / "task").write_bytes(cloudpickle.dumps(on_ray._task("1.0", "/nowhere")))
    code = "import pickle, sys; sys.modules['dcsim'] = None; print(pickle.load(open('task', 'rb'))([], range(1))[0])"
    there = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert there.stdout == "no dcsim\n"


def test_no_usage_statistics(ray):
    """Workers see usage statistics switched off, and Ray agrees."""

    def seen():
        from ray._common.usage.usage_lib import usage_stats_enabled

        return os.environ["RAY_USAGE_STATS_ENABLED"], usage_stats_enabled()

    assert ray.get(ray.remote(seen).remote()) == ("0", False)
