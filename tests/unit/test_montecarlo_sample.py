"""Folds over replications."""

from fractions import Fraction

import numpy as np
import pytest

from dcsim.ledger import CAUSES, STATE, STATES, Accounts
from dcsim.montecarlo import Sample
from tests.unit.montecarlo_fakes import fake, small

H = 3_600_000


def accounts(replication, cells, strikes=(0, 0, 0, 0), failures=0, causes=()):
    """Accounts of the small scenario from (owner, state, GPU-hours) and (owner, cause, GPU-hours)."""
    gpu_ms, overhead = np.zeros((4, 13), dtype=np.int64), np.zeros((4, 5), dtype=np.int64)
    for owner, state, hours in cells:
        gpu_ms[owner, STATE[state]] += hours * H
    for owner, cause, hours in causes:
        overhead[owner, CAUSES.index(cause)] += hours * H
        gpu_ms[owner, STATE["overhead"]] += hours * H
    names = ("big", "twins", "spares", "rest")
    asked = np.array([32_000 * H, 12_000 * H, 0, 0])
    none = np.zeros(4, dtype=np.int64)
    counts = np.array(strikes), failures, failures + 1
    one = Accounts(replication, names, gpu_ms, overhead, *counts, asked, none, none - 1)
    return one.verified(64_000 * H)


@pytest.fixture
def two():
    """Two replications of 64 GPUs for 1,000 h, given in the wrong order."""
    first = accounts(
        0,
        [(0, "useful", 30_000), (0, "detect", 1_000), (1, "useful", 12_000), (2, "spare", 8_000), (3, "idle", 12_000)],
        strikes=(3, 1, 2, 5), failures=20, causes=[(0, "strategy", 900), (0, "power", 100)],
    )  # fmt: skip
    second = accounts(
        1, [(0, "useful", 32_000), (1, "useful", 10_000), (2, "spare", 8_000), (3, "idle", 14_000)], failures=9
    )
    return Sample.of(small(), [second, first])


def test_losses_by_hand(two):
    """Loss counts all GPU-hours, job loss those asked for: the twins ask for 750 h each."""
    assert two.replications.tolist() == [0, 1]
    assert two.loss.tolist() == [22_000 / 64_000, 22_000 / 64_000]
    assert two.mean_loss == 22 / 64
    asked = 32 * 1_000 + 2 * 8 * 750
    assert two.job_loss.tolist() == [(asked - 42_000) / asked, (asked - 42_000) / asked]
    assert two.mean_job_loss == (asked - 42_000) / asked
    assert two.gpu_hours_total == 64_000


def test_ettr_by_hand(two):
    """ETTR is useful over what the job could have had since its submission."""
    assert two.ettr("big").tolist() == [30_000 / 32_000, 32_000 / 32_000]
    assert two.mean_ettr("big") == (30_000 + 32_000) / (2 * 32_000)
    assert two.mean_ettr("twins") == (12_000 + 10_000) / (2 * 2 * 8 * 750)
    with pytest.raises(KeyError, match="the jobs are big, twins"):
        two.ettr("spares")


def test_the_mean_ledger_by_hand(two):
    """Mean GPU-hours cover all 13 states, and the causes of overhead sum to overhead."""
    hours = two.mean_gpu_hours
    assert tuple(hours) == STATES
    assert hours["useful"] == 42_000
    assert hours["detect"] == 1_000 / 2
    assert hours["idle"] == (12_000 + 14_000) / 2
    assert sum(hours.values()) == 64_000
    assert two.overhead_by_cause == {"strategy": 450, "fabric": 0, "power": 50, "straggler": 0, "shrunk": 0}
    assert hours["overhead"] == 450 + 50


def test_counts_per_month_by_hand(two):
    """Interruptions are strikes on jobs, not on free GPUs; a month has 720 h."""
    assert two.interruptions_per_month.tolist() == pytest.approx([(3 + 1) * 720 / 1_000, 0])
    assert two.mean_interruptions_per_month == (3 + 1) * 720 / 1_000 / 2
    assert two.failures_per_month.tolist() == pytest.approx([20 * 720 / 1_000, 9 * 720 / 1_000])
    assert two.mean_failures_per_month == (20 + 9) * 720 / 1_000 / 2


def test_a_job_after_the_horizon_has_no_ettr():
    """Jobs that ask for nothing have no loss and no ETTR: None, not NaN."""
    jobs = [{"name": "late", "gpus": 32, "submit": "1000 h", "recovery": {"kind": "fault-tolerant"}}]
    scenario = small(jobs=jobs)
    sample = Sample.of(scenario, [fake(scenario, 0)])
    assert (sample.job_loss, sample.mean_job_loss, sample.ettr("late"), sample.mean_ettr("late")) == (None,) * 4


def test_a_hundred_replications_of_a_million_gpus_do_not_overflow():
    """The sum of 100 replications is beyond int64, and the mean is the exact quotient all the same."""
    scenario = small(horizon="36 mo", cluster={"topology": "hgx-h100", "gpus": 1_000_000})
    capacity = 1_000_000 * 36 * 720 * H
    useful = [capacity - 1 - 10**15 - number for number in range(100)]
    assert sum(useful) > 2**63
    replications = []
    for number, good in enumerate(useful):
        gpu_ms = np.zeros((4, 13), dtype=np.int64)
        gpu_ms[0, STATE["useful"]], gpu_ms[3, STATE["idle"]] = good, capacity - good
        nothing = np.zeros((4, 5), dtype=np.int64)
        asked = np.array([capacity, 1, 0, 0])
        owners, none = ("big", "twins", "spares", "rest"), nothing[:, 0]
        one = Accounts(number, owners, gpu_ms, nothing, none, 0, 0, asked, none, none - 1)
        replications.append(one.verified(scenario.capacity_gpu_ms))
    sample = Sample.of(scenario, replications)
    assert sample.mean_loss == float(Fraction(100 * capacity - sum(useful), 100 * capacity))
    assert sample.mean_gpu_hours["useful"] == float(Fraction(sum(useful), 100 * H))
    assert sample.loss[7] == float(Fraction(capacity - useful[7], capacity))


def test_what_is_no_sample_is_refused():
    """No replications, one that comes twice, and those of two scenarios are no sample."""
    with pytest.raises(ValueError, match="at least one"):
        Sample.of(small(), [])
    with pytest.raises(ValueError, match="comes twice"):
        Sample.of(small(), [fake(small(), 1), fake(small(), 1)])
    other = small(jobs=[{"name": "other", "gpus": 8, "recovery": {"kind": "fault-tolerant"}}])
    with pytest.raises(ValueError, match="owners differ"):
        Sample.of(small(), [fake(small(), 1), fake(other, 2)])


def test_arrow_names_units(two):
    """Each column's name ends in its unit, which the field's metadata repeats; the rows are replication by owner."""
    table = two.to_arrow()
    assert table["replication"].to_pylist() == [0] * 4 + [1] * 4
    assert table["owner"].to_pylist() == ["big", "twins", "spares", "rest"] * 2
    assert table["useful_gpu_ms"].to_pylist() == [hours * H for hours in (30_000, 12_000, 0, 0, 32_000, 10_000, 0, 0)]
    assert table["overhead_power_gpu_ms"].to_pylist()[0] == 100 * H
    assert table["strikes_count"].to_pylist() == [3, 1, 2, 5, 0, 0, 0, 0]
    assert table["failures_count"].to_pylist() == [20] * 4 + [9] * 4
    assert table["drawn_count"].to_pylist() == [21] * 4 + [10] * 4
    units = {field.name: field.metadata[b"unit"] for field in table.schema}
    assert [units[f"{state}_gpu_ms"] for state in STATES] == [b"GPU-ms"] * 13
    assert units["strikes_count"] == b"1"
    assert table.schema.metadata[b"dcsim.seed"] == b"3"
    assert len(table.schema.metadata[b"dcsim.scenario_sha256"]) == 64
