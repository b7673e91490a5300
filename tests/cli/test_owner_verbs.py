"""An owner on the command line: a power budget, cash by formula, gates and searches by its figures."""

import json

import pytest

OWNED = """
[owner]
server = "300000 USD"
power = "10 kW"
pue = 1.25
occupancy = "80 %"
"""


@pytest.fixture
def owned(dcsim, tmp_path):
    """Give the small scenario an owner."""
    text = (tmp_path / "small.toml").read_text()
    (tmp_path / "owned.toml").write_text(text + OWNED)
    return dcsim


def test_a_power_budget(owned):
    """1 MW at the meter carries 80 servers of 10 kW at a PUE of 1.25."""
    done = owned("table", "power", "owned.toml", "-L", "power=1 MW", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    (budget,) = json.loads(done.stdout)["budgets"]
    assert budget["it_kw"] == pytest.approx(800)
    assert budget["capex"] == pytest.approx(80 * 300_000 / 0.85)
    page = owned("table", "power", "owned.toml", "-L", "power=1 MW").stdout
    assert "What a power budget carries over" in page
    assert "(now)" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("table", "power", "small.toml"), "table power: owner: Small: missing; the table is about an owner"),
        (("table", "power", "owned.toml", "-L", "power=1"), "-L: power: found 1; allowed: a power as text with a unit"),
        (
            ("sweep", "small.toml", "-L", "cluster.spares=0,8", "--metric", "owner_cash_usd"),
            "--metric: found 'owner_cash_usd'; every scenario needs [owner] for it",
        ),
        (("run", "small.toml", "--fail-if", "failures_cost_usd > 1e5"), "[owner]"),
        (("check", "owned.toml", "--set", "owner.rack=3e6 USD"), "found both of server and rack; give one"),
    ],
)
def test_a_mistake_is_one_line(owned, arguments, says):
    done = owned(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr


def test_estimate_run_and_gate(owned):
    """Cash is the first thing said, and a gate may be about it."""
    assert " its owner " in owned("estimate", "owned.toml").stdout.splitlines()[0]
    done = owned("run", "owned.toml", "-n", "2", "--workers", "1", "--fail-if", "owner_cash_usd < 1e12")
    assert done.exit_code == 1
    assert " its owner " in done.stdout
    assert "owner_cash_usd < 1e12" in done.stderr
