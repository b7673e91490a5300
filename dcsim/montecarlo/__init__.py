"""Monte Carlo: many replications, what they say together, and the folder that keeps them."""

from dcsim.montecarlo.events import read_events, write_events
from dcsim.montecarlo.replicate import Interrupted, Progress, Running, replicate, replicate_many
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import Paired, Summary, paired, probability_below, summarise
from dcsim.montecarlo.store import RunStore, StoreError, slug
from dcsim.montecarlo.worker import WorkerDied

__all__ = [
    "Interrupted",
    "Paired",
    "Progress",
    "RunStore",
    "Running",
    "Sample",
    "StoreError",
    "Summary",
    "WorkerDied",
    "paired",
    "probability_below",
    "read_events",
    "replicate",
    "replicate_many",
    "slug",
    "summarise",
    "write_events",
]
