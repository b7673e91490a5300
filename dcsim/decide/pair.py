"""Two runs side by side: what differs between them, run by run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.documents import difference_json, mean_json
from dcsim.decide.result import RunResult
from dcsim.economics import attribution
from dcsim.montecarlo import Estimated, Paired, difference, probability_below


@dataclass(frozen=True)
class Pair:
    """Two runs from the same random numbers. Differences are ``b`` minus ``a``; None in money without [tco]."""

    a: RunResult
    b: RunResult

    @cached_property
    def _control(self) -> NDArray[np.float64] | None:
        """What the means of both are adjusted for; None unless the same failures were drawn for both."""
        a, b = self.a.control, self.b.control
        return a if a is not None and b is not None and np.array_equal(a, b) else None

    def _difference(self, b: Estimated | None, a: Estimated | None) -> Paired | None:
        if a is None or b is None:
            return None
        reliable = self.a.runs_needed is None and self.b.runs_needed is None
        return replace(difference(b, a, self._control), reliable=reliable)

    def difference_of(self, figure: Callable[[RunResult], Estimated | None]) -> Paired | None:
        """Any figure of b less that of a; None where either has none."""
        return self._difference(figure(self.b), figure(self.a))

    @cached_property
    def loss_difference(self) -> Paired:
        """Goodput loss of b less that of a."""
        found = self._difference(self.b.loss_estimated, self.a.loss_estimated)
        assert found is not None
        return found

    @cached_property
    def lost_difference(self) -> Paired:
        """Lost share of the GPU-hours that the answer is about, of b less that of a."""
        found = self._difference(self.b.lost_estimated, self.a.lost_estimated)
        assert found is not None
        return found

    @cached_property
    def total_usd_difference(self) -> Paired | None:
        """Paid and lost work at the rent of b less that of a [USD]."""
        return self._difference(self.b.total_estimated, self.a.total_estimated)

    @cached_property
    def paid_usd_difference(self) -> Paired | None:
        """What is paid for b less what is paid for a [USD]."""
        return self._difference(self.b.paid_estimated, self.a.paid_estimated)

    @cached_property
    def probability_cheaper(self) -> float | None:
        """Share of the runs in which a costs less than b by the published method; a tie counts half."""
        a, b = self.a.total_estimated, self.b.total_estimated
        return None if a is None or b is None else probability_below(a.values, b.values)

    @cached_property
    def probability_cheaper_hour(self) -> float | None:
        """Share of the runs in which less is paid for a useful GPU-hour with a than with b; a tie counts half."""
        a, b = self.a.useful_hour_estimated, self.b.useful_hour_estimated
        return None if a is None or b is None else probability_below(a.values, b.values)

    @cached_property
    def useful_hour_difference(self) -> Paired | None:
        """Paid per useful GPU-hour of b less that of a [USD], each mean by mean."""
        return self._difference(self.b.useful_hour_estimated, self.a.useful_hour_estimated)

    @cached_property
    def mtok_difference(self) -> Paired | None:
        """Cost of a million tokens of b less that of a [USD], each mean by mean; None where either sells none."""
        return self.difference_of(lambda run: None if run.tokens is None else run.tokens["usd_per_mtok"])

    @cached_property
    def attribution(self) -> Mapping[str, float] | None:
        """Gap of the mean costs by the published method [USD], by group of lines; the parts sum to it.

        Without ``goodput`` they sum to the gap between what is paid.
        """
        return attribution(self.a.tco.lines, self.b.tco.lines) if self.a.tco and self.b.tco else None

    def entry(self) -> dict[str, Any]:
        """Return this pair's part of the document."""
        return {
            "a": self.a.scenario.name,
            "b": self.b.scenario.name,
            "loss_difference": difference_json(self.loss_difference),
            "paid_usd_difference": difference_json(self.paid_usd_difference),
            "total_usd_difference": difference_json(self.total_usd_difference),
            "usd_per_useful_gpu_hour_difference": difference_json(self.useful_hour_difference),
            "probability_cheaper": self.probability_cheaper,
            "probability_cheaper_per_useful_gpu_hour": self.probability_cheaper_hour,
            "attribution": self.attribution and dict(self.attribution),
            **({} if self.mtok_difference is None else {"usd_per_mtok_difference": mean_json(self.mtok_difference)}),
        }
