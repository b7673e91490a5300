"""The batch engine as a room: what it refuses and in which words, what it loads, and cases that random ones miss."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dcsim import batch
from dcsim.engine import simulate
from dcsim.ledger import Ledgers
from dcsim.scenario import Scenario, load

ROOT = Path(__file__).parents[2]
HEADLINE = ROOT / "tests" / "benchmark" / "headline.toml"
SHIPPED = sorted((ROOT / "scenarios").glob("*/*.toml"))
COLUMNS = ("gpu_ms", "overhead_gpu_ms", "strikes", "failures", "drawn", "asked_gpu_ms", "finished", "last_finish_ms")


def equal(scenario: Scenario, numbers: list[int]) -> bool:
    """Whether both engines give the same accounts."""
    found, expected = batch.simulate_many(scenario, numbers), Ledgers.of([simulate(scenario, each) for each in numbers])
    return all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in COLUMNS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shipped_scenarios_give_the_same_accounts_or_a_reason(path):
    """Every shipped scenario is simulated alike by both engines, or the batch engine says why it cannot."""
    scenario = load(path)
    reasons = batch.objections(scenario)
    if reasons:
        assert all(reasons)
        with pytest.raises(ValueError, match=r"\w"):
            batch.simulate_many(scenario, [0])
    else:
        assert equal(scenario, [0, 1])


def test_what_the_published_comparison_needs_is_done_in_batch():
    """The tiers of the deck, the calculator's other cases and the headline workload need nothing else."""
    done = {path for path in SHIPPED if not batch.objections(load(path))}
    assert {path for path in SHIPPED if path.parent.name == "pretrain-5184"} <= done
    assert batch.objections(load(HEADLINE)) == ()
    assert len(done) >= 6


def test_reasons_name_the_job_or_the_hazard():
    """A reader finds what it is in his file that takes SimPy."""
    reasons = batch.objections(load(ROOT / "scenarios" / "failures" / "wear-out.toml"))
    assert "hazard 'wear-out': its components age" in reasons


def test_simpy_is_never_imported():
    """A run in batch works where SimPy cannot be imported at all."""
    code = (
        "import sys; sys.modules['simpy'] = None\n"
        "from dcsim import batch\nfrom dcsim.scenario import load\n"
        f"print(batch.simulate_many(load({str(HEADLINE)!r}), range(3)).failures.tolist())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == str([simulate(load(HEADLINE), number).failures for number in range(3)])


def crowded(**changes) -> Scenario:
    """Return 400 single GPUs that fail all the time and take long to repair."""
    job = {"name": "a", "gpus": 4, "count": 90, "recovery": {"kind": "fault-tolerant", "failover": "1 s"}}
    document = {
        "name": "crowded",
        "horizon": "3 h",
        "cluster": {"topology": "hgx-h100", "gpus": 400, "spares": 8},
        "jobs": [job],
        "hazards": [{"component": "gpu", "mtbf": "2 h", "blast": 2, "detect": "10 s", "repair": "1 h"}],
    }
    return Scenario.model_validate(document | changes)


def test_more_is_due_than_there_was_room_for():
    """A hundred and more failures are away at a time, and the arrays grow in the middle of a replication."""
    assert equal(crowded(), [0, 1, 2])
    placed = [{"component": "node", "mtbf": "3 h", "detect": "10 s", "repair": "1 h"}]
    big = {
        "name": "b",
        "gpus": 200,
        "priority": 1,
        "recovery": {"kind": "checkpoint-restart", "checkpoint_every": "60 s"},
    }
    small = {"name": "s", "gpus": 1, "count": 200, "recovery": {"kind": "stateless", "restore": "5 s"}}
    assert equal(crowded(hazards=placed, jobs=[big, small]), [0, 1, 2])


def test_any_numbers_in_order_are_those_replications():
    """Blocks do not matter: each replication depends on its number alone."""
    scenario = load(HEADLINE)
    whole = batch.simulate_many(scenario, range(40))
    some = batch.simulate_many(scenario, [3, 17, 39])
    assert np.array_equal(whole.gpu_ms[[3, 17, 39]], some.gpu_ms)
    assert whole.replications.tolist() == list(range(40))


def test_sums_beyond_the_float_are_exact():
    """A hundred million GPU-years have sums beyond 2^53, and every GPU-ms of them is accounted for."""
    job = {
        "name": "a",
        "gpus": 4_000_000,
        "count": 2,
        "recovery": {"kind": "fault-tolerant", "network_overhead": "3.3 %"},
    }
    hazards = [{"component": "gpu", "mtbf": "10000000 h", "blast": 8, "detect": "7 min", "repair": "61 min"}]
    cluster = {"topology": "gb300-nvl72", "gpus": 9_999_936, "spares": 80}
    scenario = crowded(cluster=cluster, jobs=[job], hazards=hazards, horizon="36 mo")
    assert scenario.capacity_gpu_ms > 2**53
    assert equal(scenario, [0])
