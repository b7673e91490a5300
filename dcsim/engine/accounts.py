"""From what the engine booked to the ledger."""

from typing import TYPE_CHECKING

import numpy as np

from dcsim.ledger import CAUSES, STATE, STATES, Accounts

if TYPE_CHECKING:
    from dcsim.engine.simulation import Simulation


def close(simulation: "Simulation") -> Accounts:
    """Fold a finished simulation's bookings into verified accounts.

    Surviving running time is split once per gang: useful is the floor, overhead the rest.
    """
    plan = simulation.plan
    jobs = len(plan.scenario.jobs)
    gpu_ms = [[0] * len(STATES) for _ in plan.owners]
    overhead = [[0] * len(CAUSES) for _ in plan.owners]
    strikes = [0] * len(plan.owners)
    for gang in simulation.gangs:
        row, size = gpu_ms[gang.gang.job], gang.gpus
        surviving = gang.saved_ms * size
        useful = surviving * gang.gang.recovery.useful_ppb // 10**9
        row[STATE["useful"]] += useful
        row[STATE["overhead"]] += surviving - useful
        overhead[gang.gang.job][0] += surviving - useful
        row[STATE["checkpoint"]] += gang.checkpoint_ms * size
        row[STATE["lost"]] += gang.lost_ms * size
        row[STATE["failover"]] += gang.failover_ms * size
        row[STATE["restore"]] += gang.restore_ms * size
        row[STATE["detect"]] += gang.detect_gpu_ms
        row[STATE["wait"]] += gang.wait_gpu_ms
        row[STATE["repair"]] += gang.repair_gpu_ms
        strikes[gang.gang.job] += gang.strikes
    gpu_ms[jobs][STATE["spare"]] = simulation.spare_gpu_ms
    gpu_ms[jobs + 1][STATE["idle"]] = simulation.idle_gpu_ms
    gpu_ms[jobs + 1][STATE["repair"]] = simulation.free_repair_gpu_ms
    accounts = Accounts(
        simulation.replication,
        plan.owners,
        np.array(gpu_ms, dtype=np.int64),
        np.array(overhead, dtype=np.int64),
        np.array(strikes, dtype=np.int64),
        simulation.failures,
    )
    return accounts.verified(plan.scenario.capacity_gpu_ms)
