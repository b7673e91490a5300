"""Lives of several kinds at ages that only one kind reaches, and repairs of several stages."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from dcsim.hazards.lifetimes.mixture import MixtureLifetime
from dcsim.hazards.repair import RepairStage, mean_silent
from dcsim.units import MS_PER_H


def test_who_is_old_is_of_the_kind_that_lives_long() -> None:
    """At 50 times the mean of one half, whose wear-out nobody survives, all that is left is of the other half."""
    life = TypeAdapter(MixtureLifetime).validate_python(
        {
            "kind": "mixture",
            "parts": [
                {"share": "50 %", "life": {"kind": "weibull", "mean": "1000 h", "shape": 5.0}},
                {"share": "50 %", "life": {"kind": "exponential", "mean": "1e6 h"}},
            ],
        }
    )
    ages = np.full(1_000, 50_000 * MS_PER_H)
    hours = life.residual(np.random.default_rng(3), ages) / MS_PER_H
    expected = np.random.default_rng(3)
    expected.random(1_000)  # the kinds
    assert np.array_equal(np.round(hours * MS_PER_H), np.round(expected.standard_exponential(1_000) * 1e6 * MS_PER_H))


def test_silent_repairs_are_those_of_the_stage_that_ends_them() -> None:
    """Half end in the first stage, a quarter in the second, the rest in the last: 5 % + 5 % + 10 %."""
    stages = tuple(
        RepairStage.model_validate({"time": "1 h", "success": success, "silent": silent})
        for success, silent in (("50 %", "10 %"), ("50 %", "20 %"), ("80 %", "40 %"))
    )
    assert mean_silent(stages) == pytest.approx(0.2, rel=1e-12)
