"""What is believed of a rate before a record and after it: a gamma law, from published rates where failures are few."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.rates import Rate
from dcsim.hazards.presets import hazard_tables
from dcsim.units import DURATION, MS_PER_H, parse

Values = NDArray[np.float64]


NODE = 8
"""GPUs of a node in the published fleets."""


@dataclass(frozen=True)
class Published:
    """A published rate of failures, per GPU in service so that it holds for nodes of any size.

    ``table``: the table of ``hazards/presets.toml`` that has it. ``said``: what was counted, in a phrase; ``source``:
    where that is written.
    """

    table: str
    said: str
    source: str

    @property
    def gpu_h(self) -> float:
        """GPU-hours to a failure, all causes of the table together."""
        parts = hazard_tables()[self.table].parts
        gpus = {"gpu": 1, "node": NODE}
        per_ms = (1 / (gpus[part.keys["component"]] * parse(part.keys["mtbf"], DURATION)) for part in parts)
        return 1 / (sum(per_ms) * MS_PER_H)


PUBLISHED: Mapping[str, Published] = {
    "llama3": Published(
        "llama3",
        "419 unexpected interruptions of 16,384 H100 in 54 days, 3.79 per 1,000 node-days",
        "Llama 3 herd of models, arXiv 2407.21783",
    ),
    "rsc-1": Published(
        "rsc-1",
        "6.50 failures per 1,000 node-days, nodes of 8 A100",
        "Kokolis et al., arXiv 2410.21680",
    ),
    "rsc-2": Published(
        "rsc-2",
        "2.34 failures per 1,000 node-days, nodes of 8 A100",
        "Kokolis et al., arXiv 2410.21680",
    ),
    "delta": Published(
        "delta-h100",
        "24 uncorrectable memory errors of 608 H100 in 146 days; other failures are not in it",
        "Cui et al., arXiv 2503.11901",
    ),
}
"""Rates that a prior may be taken from, by name."""
WEIGHT = 4.0
"""Failures that a prior weighs as much as; source: the logarithms of the rates of the first three fleets have a
standard deviation of 0.51, that of a gamma law with shape 4 has one of 0.53."""
VAGUE = 0.5
"""Shape of the prior that says nothing (Jeffreys), together with no hours."""


@dataclass(frozen=True)
class Prior:
    """A rate that is believed before a record: ``failures`` in ``unit_h`` hours of one component, a gamma law.

    ``name``: a key of PUBLISHED. ``published_h``: the mean time between failures of one component that it stands for.
    """

    name: str
    failures: float
    unit_h: float

    @property
    def published_h(self) -> float:
        """Mean time between failures of one component [h] in the published fleet."""
        return self.unit_h / self.failures

    @classmethod
    def of(cls, name: str, gpus: int, weight: float = WEIGHT) -> "Prior":
        """Return the prior of a published rate for components that hold so many GPUs each."""
        return cls(name, weight, weight * PUBLISHED[name].gpu_h / gpus)

    def shared(self, classes: int) -> "Prior":
        """Return the prior of one of several classes: all of them together have this prior, none is preferred."""
        return Prior(self.name, self.failures / classes, self.unit_h)


@dataclass(frozen=True)
class Belief:
    """What is believed of a rate [1/h] after a record: a gamma law of ``shape`` over ``hours``."""

    shape: float
    hours: float

    @property
    def mtbf_h(self) -> float:
        """Mean time between failures [h] at the mean of the rate."""
        return self.hours / self.shape

    def quantile(self, share: float) -> float:
        """Return the rate [1/h] below which a share of the belief lies."""
        from scipy.special import gammaincinv

        return float(gammaincinv(self.shape, share)) / self.hours

    def interval_h(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the mean times between failures [h] between which such a share lies, the rest on both sides alike."""
        tail = (1 - confidence) / 2
        return 1 / self.quantile(1 - tail), 1 / max(self.quantile(tail), 1e-300)

    def equal_parts(self, parts: int) -> Values:
        """Return the mean rates [1/h] of so many equally likely parts, ascending: their mean is that of the law."""
        from scipy.special import gammainc, gammaincinv

        ends = gammaincinv(self.shape, np.linspace(0, 1, parts + 1))  # the last is infinite
        return np.asarray(np.diff(gammainc(self.shape + 1, ends)) * (parts * self.shape / self.hours), dtype=np.float64)

    @property
    def log_mean(self) -> float:
        """Mean of the logarithm of the rate [1/h]."""
        from scipy.special import digamma

        return float(digamma(self.shape)) - math.log(self.hours)

    @property
    def log_sigma(self) -> float:
        """Standard deviation of the logarithm of the rate."""
        from scipy.special import polygamma

        return math.sqrt(float(polygamma(1, self.shape)))


def believed(rate: Rate, prior: Prior | None = None, dispersion: float = 1.0) -> Belief:
    """Return what is believed after a count.

    ``dispersion``: variance by mean of counts in windows; above 1 the failures come in bursts, and so many of them say
    as little as one that comes alone (a quasi-Poisson count).
    """
    failures, hours = rate.failures / max(1.0, dispersion), rate.exposure_h / max(1.0, dispersion)
    if prior is None:
        return Belief(failures + VAGUE, hours)
    return Belief(failures + prior.failures, hours + prior.unit_h)
