"""What a record leaves open reaches the simulation: failures per month have the law that follows from the count."""

import tomllib

import numpy as np
import pytest
from scipy import stats

from dcsim.calibrate.fragment import Site, scenario_text
from dcsim.calibrate.priors import Prior
from dcsim.calibrate.site import of_count
from dcsim.montecarlo.engines import choose, simulate_many
from dcsim.scenario import PER_SAMPLE, read

RUNS = 1_200
MONTH_H = 720.0


@pytest.mark.parametrize(
    ("failures", "nodes", "months", "prior"),
    [
        pytest.param(2, 8, 1, None, id="two"),
        pytest.param(0, 8, 1, None, id="none", marks=pytest.mark.exhaustive),
        pytest.param(40, 32, 6, None, id="forty", marks=pytest.mark.exhaustive),
        pytest.param(2, 8, 1, Prior.of("llama3", 8), id="two and a prior", marks=pytest.mark.exhaustive),
    ],
)
def test_simulated_failures_per_month_are_negative_binomial(
    failures: int, nodes: int, months: int, prior: Prior | None
) -> None:
    """A rate that is believed to be gamma, over a month of as many nodes, gives a negative binomial count.

    Repairs take a second, so that none of the failures comes while its node is out. Each run has its own draw.
    """
    found = of_count(failures, nodes, months * MONTH_H, prior)
    text = scenario_text(found, Site("counted", "a count", "node", "hgx-h100", 8 * nodes, 8, "A count."))
    tables = tomllib.loads(text)
    tables["hazards"][0]["repair"] = "1 s"
    tables["uncertain"] = [each for each in tables["uncertain"] if each["key"] == "hazards.node.mtbf"]
    scenario = read(tables | {"horizon": "1 mo"})
    numbers = list(range(0, PER_SAMPLE * RUNS, PER_SAMPLE))
    counts = np.array(simulate_many(choose("auto", monthly=False), scenario, numbers).failures)
    belief = found.whole.belief
    law = stats.nbinom(belief.shape, belief.hours / (belief.hours + nodes * MONTH_H))
    assert abs(counts.mean() - law.mean()) < 4 * law.std() / RUNS**0.5
    assert counts.var() == pytest.approx(law.var(), rel=0.15)
    ends = np.unique(law.ppf([0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97]).astype(int))
    edges = np.concatenate([[-1], ends, [10**6]])
    seen = np.histogram(counts, edges + 0.5)[0]
    expected = RUNS * np.diff(law.cdf(edges))
    assert stats.chisquare(seen, expected).pvalue > 1e-3
