"""Monte Carlo: many replications, what they say together, and the folder that keeps them."""

from dcsim.files import StoreError
from dcsim.montecarlo.control import Adjusted, adjusted
from dcsim.montecarlo.engines import SIMPY, Engine, WantedEngine, choose
from dcsim.montecarlo.estimated import Estimated, deviations, difference, estimated_loss, in_a_row
from dcsim.montecarlo.events import read_events, write_events
from dcsim.montecarlo.replicate import Interrupted, Progress, Running, replicate_many
from dcsim.montecarlo.run_folder import RunFolder, slug
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import (
    Paired,
    Summary,
    Variance,
    paired,
    probability_below,
    summarise,
    unit_means,
    variance_of,
)
from dcsim.montecarlo.stopping import Look, Stopped, precision_of
from dcsim.montecarlo.tasks import WHOLE, Shard
from dcsim.montecarlo.worker import WorkerDied

__all__ = [
    "SIMPY",
    "WHOLE",
    "Adjusted",
    "Engine",
    "Estimated",
    "Interrupted",
    "Look",
    "Paired",
    "Progress",
    "RunFolder",
    "Running",
    "Sample",
    "Shard",
    "Stopped",
    "StoreError",
    "Summary",
    "Variance",
    "WantedEngine",
    "WorkerDied",
    "adjusted",
    "choose",
    "deviations",
    "difference",
    "estimated_loss",
    "in_a_row",
    "paired",
    "precision_of",
    "probability_below",
    "read_events",
    "replicate_many",
    "slug",
    "summarise",
    "unit_means",
    "variance_of",
    "write_events",
]
