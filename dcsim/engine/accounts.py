"""From what the engine booked to the ledger."""

from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.ledger import CAUSES, STATE, STATES, Accounts

if TYPE_CHECKING:
    from dcsim.engine.simulation import Simulation

CAUSE = {name: column for column, name in enumerate(CAUSES)}


def close(simulation: "Simulation[Any]") -> Accounts:
    """Fold a finished simulation's bookings into verified accounts.

    Surviving running time is split once per gang: what stragglers, power and fabric take is rounded up, useful is the
    floor of the strategy's share of what is left, overhead the rest. Members that a small
    shape has no use for are overhead too.
    """
    plan = simulation.plan
    jobs = len(plan.scenario.jobs)
    gpu_ms = [[0] * len(STATES) for _ in plan.owners]
    overhead = [[0] * len(CAUSES) for _ in plan.owners]
    strikes, asked, finished = ([0] * len(plan.owners) for _ in range(3))
    last_finish = [0] * jobs + [-1, -1]
    for gang in simulation.gangs:
        owner = gang.gang.job
        booked, slowed, shrunk = gang.accounts()
        surviving = booked[STATE["useful"]]
        useful = (surviving - sum(slowed)) * gang.gang.recovery.useful_ppb // 10**9
        booked[STATE["useful"]] = useful
        booked[STATE["overhead"]] = surviving - useful + shrunk
        for state, time in enumerate(booked):
            gpu_ms[owner][state] += time
        overhead[owner][CAUSE["strategy"]] += surviving - sum(slowed) - useful
        for cause, time in zip(("straggler", "power", "fabric"), slowed, strict=True):
            overhead[owner][CAUSE[cause]] += time
        overhead[owner][CAUSE["shrunk"]] += shrunk
        strikes[owner] += gang.strikes
        end = simulation.horizon if gang.finish < 0 else gang.finish
        asked[owner] += gang.gpus * max(0, end - gang.gang.submit)
        finished[owner] += gang.finish >= 0
        still_running = gang.finish < 0 or last_finish[owner] < 0
        last_finish[owner] = -1 if still_running else max(last_finish[owner], gang.finish)
    gpu_ms[jobs][STATE["spare"]] = simulation.spare_gpu_ms
    gpu_ms[jobs + 1][STATE["idle"]] = simulation.idle_gpu_ms
    gpu_ms[jobs + 1][STATE["repair"]] = simulation.free_repair_gpu_ms
    gpu_ms[jobs + 1][STATE["maintenance"]] = simulation.free_maintenance_gpu_ms
    gpu_ms[jobs + 1][STATE["unpowered"]] = simulation.unpowered_gpu_ms
    accounts = Accounts(
        simulation.replication,
        plan.owners,
        np.array(gpu_ms, dtype=np.int64),
        np.array(overhead, dtype=np.int64),
        np.array(strikes, dtype=np.int64),
        simulation.failures,
        simulation.drawn,
        np.array(asked, dtype=np.int64),
        np.array(finished, dtype=np.int64),
        np.array(last_finish, dtype=np.int64),
    )
    return accounts.verified(plan.scenario.capacity_gpu_ms)
