"""Mixtures: some lives are of one kind, some of another. Infant mortality and wear-out are mixtures."""

import sys
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dcsim.distributions import Times
from dcsim.hazards.lifetimes.lifetime import Lifetime, refuse
from dcsim.registry import kinds_in, one_of
from dcsim.units import Share

if TYPE_CHECKING:
    PartLife = Lifetime
else:
    package = sys.modules[__package__]
    LAWS = {kind: law for kind, law in kinds_in(__package__, package.__path__, Lifetime).items() if not law.recorded}
    """Every kind in this folder that is the law of a life; not this one, whose module is not complete yet."""
    PartLife = one_of(LAWS)

BATHTUB: dict[str, Any] = {
    "kind": "mixture",
    "parts": [
        {"share": "5 %", "life": {"kind": "weibull", "mean": "500 h", "shape": 0.5}},
        {"share": "75 %", "life": {"kind": "exponential", "mean": "60000 h"}},
        {"share": "20 %", "life": {"kind": "weibull", "mean": "40000 h", "shape": 5.0}},
    ],
}
"""Infant mortality, then a constant rate, then wear-out (numbers: an example, assumed)."""


class MixturePart(BaseModel):
    """One kind of life in a mixture."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    share: Share = Field(gt=0, description="share of lives that are of this kind; the shares sum to 100 %")
    life: PartLife = Field(description="how long they last")


class MixtureLifetime(Lifetime):
    """Every life is of one of several kinds: S(t) = sum of share_i S_i(t).

    Infant mortality is a small share of short lives, wear-out a share whose failure rate rises, a bathtub has both:

        [hazards.mtbf]
        kind = "mixture"
        [[hazards.mtbf.parts]]                  # infant mortality
        share = "5 %"
        life = { kind = "weibull", mean = "500 h", shape = 0.5 }
        [[hazards.mtbf.parts]]                  # a constant rate
        share = "75 %"
        life = { kind = "exponential", mean = "60000 h" }
        [[hazards.mtbf.parts]]                  # wear-out
        share = "20 %"
        life = { kind = "weibull", mean = "40000 h", shape = 5.0 }

    A component that has lived long was probably not one of the first: ``residual`` weighs the kinds by who is left.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [BATHTUB]})
    kind: Literal["mixture"] = Field(description="lives of several kinds: infant mortality, wear-out, bathtub")
    parts: tuple[MixturePart, ...] = Field(min_length=1, max_length=20, description="the kinds of life")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(part.share for part in self.parts)
        if abs(total - 1) > 1e-9:
            refuse(type(self), [(("parts",), f"found shares that sum to {100 * total:.9g} %; must be 100 %")])
        return self

    @property
    def mean_ms(self) -> float:
        """Mean life [ms]: sum of share * mean."""
        return sum(part.share * part.life.mean_ms for part in self.parts)

    def with_mean(self, mean: float) -> Self:
        """Stretch every part alike."""
        scale = mean / self.mean_ms
        changed = [part.life.with_mean(part.life.mean_ms * scale) for part in self.parts]
        parts = zip(self.parts, changed, strict=True)
        return self.model_copy(update={"parts": tuple(part.model_copy(update={"life": life}) for part, life in parts)})

    def draw(self, rng: np.random.Generator, size: int) -> Times:
        """Choose the kind of every life, then draw it."""
        bounds = np.cumsum([part.share for part in self.parts[:-1]])
        kinds = np.searchsorted(bounds, rng.random(size), side="right")
        lives = np.empty(size, dtype=np.int64)
        for kind, part in enumerate(self.parts):
            chosen = kinds == kind
            lives[chosen] = part.life.draw(rng, int(chosen.sum()))
        return lives

    def log_survival(self, ages: Times) -> NDArray[np.float64]:
        """log S(a) = log of sum of share_i S_i(a)."""
        survived: NDArray[np.float64] = np.logaddexp.reduce(self._log_left(ages), axis=0)
        return survived

    def residual(self, rng: np.random.Generator, ages: Times) -> Times:
        """Choose the kind by share_i S_i(a) / S(a), by share where nobody is left; then draw what is left of it."""
        left = self._log_left(ages)
        most = left.max(axis=0)
        with np.errstate(invalid="ignore"):
            weights = np.where(np.isfinite(most), np.exp(left - most), np.exp(self._log_shares()))
        bounds = np.cumsum(weights, axis=0)
        kinds = (rng.random(len(ages)) * bounds[-1] >= bounds[:-1]).sum(axis=0)
        lives = np.empty(len(ages), dtype=np.int64)
        for kind, part in enumerate(self.parts):
            chosen = kinds == kind
            lives[chosen] = part.life.residual(rng, ages[chosen])
        return lives

    def _log_shares(self) -> NDArray[np.float64]:
        return np.log([part.share for part in self.parts])[:, None]

    def _log_left(self, ages: Times) -> NDArray[np.float64]:
        """log(share_i S_i(a)), float64 (parts, ages)."""
        return self._log_shares() + np.stack([part.life.log_survival(ages) for part in self.parts])
