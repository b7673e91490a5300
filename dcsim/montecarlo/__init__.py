"""Monte Carlo: many replications, what they say together, and the folder that keeps them."""

from dcsim.files import StoreError
from dcsim.montecarlo.engines import SIMPY, Engine, WantedEngine, choose
from dcsim.montecarlo.estimators import Estimated, deviations, difference, estimated_loss, runs_per_draw
from dcsim.montecarlo.events import read_events, write_events
from dcsim.montecarlo.run_folder import RunFolder, slug
from dcsim.montecarlo.runner import Interrupted, Progress, Resume, Running, physics, replicate_many
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.sequential_stopping import Look, Stopped, precision_of
from dcsim.montecarlo.statistics import (
    Adjusted,
    Paired,
    Summary,
    Variance,
    adjusted,
    paired,
    probability_below,
    summarise,
    unit_means,
    variance_of,
)
from dcsim.montecarlo.tasks import UNSHARDED, Shard
from dcsim.montecarlo.worker import WorkerDied

__all__ = [
    "SIMPY",
    "UNSHARDED",
    "Adjusted",
    "Engine",
    "Estimated",
    "Interrupted",
    "Look",
    "Paired",
    "Progress",
    "Resume",
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
    "paired",
    "physics",
    "precision_of",
    "probability_below",
    "read_events",
    "replicate_many",
    "runs_per_draw",
    "slug",
    "summarise",
    "unit_means",
    "variance_of",
    "write_events",
]
