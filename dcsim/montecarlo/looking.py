"""Looks at running scenarios: whether the interval of every loss is as narrow as wanted, else twice as many runs."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dcsim.montecarlo.estimated import deviations, estimated_loss, in_a_row
from dcsim.montecarlo.reliability import runs_needed_after
from dcsim.montecarlo.sample import Sample
from dcsim.montecarlo.statistics import summarise
from dcsim.montecarlo.stopping import FIRST_LOOK, MOST, Look, Stopped, narrow, precision_of, schedule
from dcsim.scenario import Scenario


class Looking:
    """Decides for ``replicate_many`` when the first of its runs, those of ``scenarios``, are done.

    All of them have as many replications, because they are compared pairwise. Where inputs are uncertain the first look
    is after as many pairs as it is replications else. Raises PrecisionError for a precision that cannot be.
    """

    def __init__(self, scenarios: Sequence[Scenario], precision: str, most: int | None = None) -> None:
        self.wanted = precision_of(precision)
        shared = max(in_a_row(each) for each in scenarios)
        most = MOST if most is None else most
        self.schedule = tuple(schedule(most + most % shared, FIRST_LOOK * shared))
        self.scenarios = len(scenarios)
        self.looks: list[Look] = []

    @property
    def first(self) -> int:
        """Replications before the first look."""
        return self.schedule[0]

    def more(self, samples: Sequence[Sample]) -> list[int]:
        """Look at samples, those of the scenarios first; return how many replications each of them is to have."""
        counts = [len(sample) for sample in samples]
        looked = counts[0]
        widths = tuple(_half_width(sample) for sample in samples[: self.scenarios])
        self.looks.append(Look(looked, widths))
        following = dict(pairwise(self.schedule)).get(looked, looked)
        wanted = looked if narrow(widths, self.wanted) else following
        return [wanted] * self.scenarios + counts[self.scenarios :]

    @property
    def stopped(self) -> tuple[Stopped, ...]:
        """How it ended for each of the scenarios."""
        return tuple(
            Stopped(self.wanted, tuple(Look(look.replications, (look.half_widths[index],)) for look in self.looks))
            for index in range(self.scenarios)
        )


def _half_width(sample: Sample) -> float | None:
    """Return half of the loss's 95 % interval, None where too few failures struck for one that can be believed."""
    found = estimated_loss(sample, deviations(sample), controls=True)
    if found.too_skewed is not None or len(sample) < runs_needed_after(sample) * in_a_row(sample.scenario):
        return None
    return found.shown.half_width


def half_width_so_far(sample: Sample) -> float | None:
    """Return half of the loss's 95 % interval in the middle of a run with a precision, whatever is finished of it.

    As a look has it; where inputs are uncertain without the control, which would cost more than it tells, and over the
    replications whose pair is finished too. None while there are fewer than two.
    """
    shared = in_a_row(sample.scenario)
    if shared == 1:
        return _half_width(sample)
    _, inverse, counts = np.unique(sample.replications // shared, return_inverse=True, return_counts=True)
    return summarise(sample.loss[counts[inverse] == shared], shared=shared).half_width
