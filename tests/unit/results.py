"""Results of runs whose losses are written by hand."""

import numpy as np

from dcsim.decide.estimate import estimate
from dcsim.decide.result import RunResult
from dcsim.ledger import CAUSES, STATE, STATES, Ledgers
from dcsim.montecarlo import Sample

MANY = 100_000
"""Interruptions of each job in a run: more than any scenario expects."""


def lost(scenario, *losses, mtbf_range=None):
    """Make the result of a run whose replications lost these fractions in detection, to failures that are many."""
    owners = (*(job.name for job in scenario.jobs), "spares", "rest")
    gpu_ms = np.zeros((len(losses), len(owners), len(STATES)), dtype=np.int64)
    gpu_ms[:, 0, STATE["detect"]] = [round(loss * scenario.capacity_gpu_ms) for loss in losses]
    gpu_ms[:, 0, STATE["useful"]] = scenario.capacity_gpu_ms - gpu_ms[:, 0, STATE["detect"]]
    overhead = np.zeros((len(losses), len(owners), len(CAUSES)), dtype=np.int64)
    counts = np.ones((len(losses), len(owners)), dtype=np.int64)
    asked = gpu_ms.sum(axis=2)
    none = np.zeros_like(counts)
    once = counts[:, 0]
    ledgers = Ledgers(
        owners, np.arange(len(losses)), gpu_ms, overhead, MANY * counts, once, once, asked, none, none - 1
    )
    return RunResult(Sample(scenario, ledgers), estimate(scenario), mtbf_range)
