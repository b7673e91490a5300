"""Small scenarios and engines for the Monte Carlo tests; light, because every worker process imports this file."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from dcsim.ledger import Accounts
from dcsim.scenario import Scenario


def small(**changes) -> Scenario:
    """64 GPUs for 1,000 h: two jobs of 32 and 2 x 8 GPUs, 16 free."""
    content = {
        "name": "small",
        "horizon": "1000 h",
        "seed": 3,
        "cluster": {"topology": "hgx-h100", "gpus": 64, "spares": 8},
        "jobs": [
            {"name": "big", "gpus": 32, "recovery": {"kind": "fault-tolerant", "failover": "5 min"}},
            {"name": "twins", "gpus": 8, "count": 2, "submit": "250 h", "recovery": {"kind": "fault-tolerant"}},
        ],
        "hazards": [{"component": "gpu", "mtbf": "2000 h", "blast": 8, "detect": "15 min", "repair": "2 h"}],
    }
    return Scenario.model_validate(content | changes)


def replicate(scenario: Scenario, replications: int, *, store=None, **how):
    """Return replications 0 … n - 1 of one scenario; see ``replicate_many``."""
    from dcsim.montecarlo.runner import replicate_many

    (sample,) = replicate_many([(scenario, store)], replications, **how)
    return sample


def fake(scenario: Scenario, replication: int) -> Accounts:
    """Accounts that conserve, drawn from (seed, replication)."""
    rng = np.random.default_rng([scenario.seed, replication])
    owners = (*(job.name for job in scenario.jobs), "spares", "rest")
    cuts = np.sort(rng.integers(0, scenario.capacity_gpu_ms, len(owners) * 13 - 1))
    gpu_ms = np.diff(cuts, prepend=0, append=scenario.capacity_gpu_ms).reshape(len(owners), 13)
    overhead = np.zeros((len(owners), 5), dtype=np.int64)
    overhead[:, 0] = gpu_ms[:, 1]
    strikes, failures = rng.integers(0, 9, len(owners)), int(rng.integers(99))
    drawn = failures + int(rng.integers(9))
    late = [job.submit >= scenario.horizon for job in scenario.jobs]
    asked = np.where([*late, False, False], 0, gpu_ms.sum(axis=1))
    finished, last = rng.integers(0, 2, len(owners)), rng.integers(-1, 99, len(owners))
    return Accounts(replication, owners, gpu_ms, overhead, strikes, failures, drawn, asked, finished, last)


def edit_manifest(folder: Path, *dropped: str, **changed) -> None:
    """Change and drop keys of a run's manifest, in both copies, with their checksum."""
    from dcsim.montecarlo.manifest import read_manifest, write_both

    values = read_manifest(folder) | changed
    write_both(folder, {key: value for key, value in values.items() if key not in dropped})


def noisy(scenario: Scenario, replication: int) -> Accounts:
    """Print on the stream that a worker answers on."""
    print("I am talking", flush=True)
    return fake(scenario, replication)


def slow(scenario: Scenario, replication: int) -> Accounts:
    """Take long enough to be killed on the way."""
    time.sleep(0.03)
    return fake(scenario, replication)


def stuck(scenario: Scenario, replication: int, pids: Path) -> Accounts:
    """Leave the process id behind; replications from 2 on last for ever."""
    (pids / str(os.getpid())).touch()
    if replication >= 2:
        time.sleep(3600)
    return fake(scenario, replication)


def dies_once(scenario: Scenario, replication: int, grave: Path) -> Accounts:
    """Kill the process that simulates replication 2 first."""
    if replication == 2 and not grave.exists():
        grave.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(scenario, replication)


def always_dies(scenario: Scenario, replication: int) -> Accounts:
    """Kill every process that simulates replication 2."""
    if replication == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(scenario, replication)


class Picky(Exception):
    """An error that cannot be made again from its args."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def fails(scenario: Scenario, replication: int) -> Accounts:
    """Fail at replication 2."""
    if replication == 2:
        raise ArithmeticError("the sum is wrong")
    return fake(scenario, replication)


def fails_oddly(scenario: Scenario, replication: int) -> Accounts:
    """Fail at replication 2 with an error that no pipe can carry."""
    if replication == 2:
        raise Picky("this", "that")
    return fake(scenario, replication)


def interrupted(scenario: Scenario, replication: int) -> Accounts:
    """Be interrupted at replication 3."""
    if replication == 3:
        raise KeyboardInterrupt
    return fake(scenario, replication)
