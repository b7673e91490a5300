"""Closed forms on plain numbers: ClusterMAX accounting, renewal theory, rollbacks, elastic gangs, spares, crews."""

from dcsim.closed_form.accounting import (
    Accounting,
    Charge,
    HazardCharge,
    Identify,
    Mode,
    account,
    charge,
    downtime_loss,
    identify_hours,
    mean_job_size,
)
from dcsim.closed_form.availability import Losses, down_at_most, promised, too_few_up
from dcsim.closed_form.elastic import elastic_goodput
from dcsim.closed_form.queueing import overload_queue, queue_wait, repairman_wait
from dcsim.closed_form.renewal import (
    completion,
    daly_interval,
    ettr_kokolis,
    lost_work,
    makespan,
    no_rollback_goodput,
    optimal_interval,
    restart_goodput,
    young_interval,
)
from dcsim.closed_form.retirement import Retirement, Served, served
from dcsim.closed_form.rollback import Copies, Strikes, rollback_first_order, rollback_goodput
from dcsim.closed_form.shifts import repair_in_shifts, wait_at_most, wait_for_others, wait_for_shift, wait_for_visit
from dcsim.closed_form.spares import (
    down_probabilities,
    enough_up,
    erlang_b,
    erlang_c,
    mean_availability,
)

__all__ = [
    "Accounting",
    "Charge",
    "Copies",
    "HazardCharge",
    "Identify",
    "Losses",
    "Mode",
    "Retirement",
    "Served",
    "Strikes",
    "account",
    "charge",
    "completion",
    "daly_interval",
    "down_at_most",
    "down_probabilities",
    "downtime_loss",
    "elastic_goodput",
    "enough_up",
    "erlang_b",
    "erlang_c",
    "ettr_kokolis",
    "identify_hours",
    "lost_work",
    "makespan",
    "mean_availability",
    "mean_job_size",
    "no_rollback_goodput",
    "optimal_interval",
    "overload_queue",
    "promised",
    "queue_wait",
    "repair_in_shifts",
    "repairman_wait",
    "restart_goodput",
    "rollback_first_order",
    "rollback_goodput",
    "served",
    "too_few_up",
    "wait_at_most",
    "wait_for_others",
    "wait_for_shift",
    "wait_for_visit",
    "young_interval",
]
