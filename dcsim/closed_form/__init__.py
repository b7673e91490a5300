"""Closed forms on plain numbers: ClusterMAX accounting, renewal theory, spares and crews."""

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
from dcsim.closed_form.renewal import (
    daly_interval,
    ettr_kokolis,
    lost_work,
    makespan,
    no_rollback_goodput,
    optimal_interval,
    restart_goodput,
    young_interval,
)
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
    "HazardCharge",
    "Identify",
    "Mode",
    "account",
    "charge",
    "daly_interval",
    "down_probabilities",
    "downtime_loss",
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
    "restart_goodput",
    "young_interval",
]
