"""What `estimate` tells a lender: the simulated figures without chance, and the published annuity."""

import numpy as np
import pytest

from dcsim import estimate, run
from dcsim.scenario import certain, read


@pytest.mark.parametrize("name", ["finance/vendor-loan", "finance/racks-12"])
def test_debt_by_formula_is_the_simulated_one_at_known_inputs(name: str) -> None:
    """Debt and its service follow from the capital; cover and equity differ by what failures cost by chance."""
    scenario = certain(read(name)).model_copy(update={"uncertain": (), "correlated": ()})
    by_formula, simulated = estimate(scenario).lender, run(scenario, replications=8).lender
    assert by_formula is not None
    assert simulated is not None
    for line in ("drawn", "interest", "debt_service", "balance"):
        assert by_formula.statement.total(line)[0] == pytest.approx(simulated.statement.total(line).mean(), rel=1e-9)
    assert by_formula.min_dscr[0] == pytest.approx(simulated.min_dscr.mean(), rel=0.05)
    assert by_formula.mean("equity_cash") == pytest.approx(simulated.mean("equity_cash"), rel=0.05)


def test_estimate_says_it_in_json_and_only_where_there_is_finance() -> None:
    entry = estimate("finance/racks-12").to_json()["scenarios"][0]["finance"]
    assert entry["debt"]["drawn_usd"] > 0
    assert 0.5 < entry["debt"]["min_dscr"] < 3
    assert np.isfinite(entry["returns"]["yearly"]["equity_irr"])
    assert "finance" not in estimate("owner/h200-neocloud").to_json()["scenarios"][0]
