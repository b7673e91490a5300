"""`--precision` and [[uncertain]] tables at the command line: when a run ends, and what it says of its error."""

import json

import pytest

ONE = ("--workers", "1")
UNKNOWN = """
[[uncertain]]
key = "hazards.gpu.mtbf"
value = { kind = "uniform", low = "500 h", high = "2000 h" }
"""


def scenarios(done):
    """Read the scenarios of the JSON that a verb printed."""
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["scenarios"]


@pytest.fixture(autouse=True)
def _unknown(tmp_path, dcsim):
    """Write unknown.toml, small.toml with an MTBF that is drawn, and dear.toml, with a rent that is drawn."""
    text = (tmp_path / "small.toml").read_text()
    price = '[[uncertain]]\nkey = "tco.gpu_hour"\nvalue = { kind = "choice", values = ["3 USD", "5 USD"] }\n'
    (tmp_path / "unknown.toml").write_text(text + UNKNOWN)
    (tmp_path / "dear.toml").write_text(text + price)


def test_a_run_ends_when_its_interval_is_narrow(dcsim):
    """The interval of the loss is as narrow as asked for, by the estimator that is named, and each look is reported."""
    (entry,) = scenarios(dcsim("run", "small.toml", "--precision", "0.04 pp", *ONE, "--json"))
    loss, precision = entry["goodput"]["loss"], entry["precision"]
    looks = precision["looks"]
    assert (precision["half_width"], precision["reached"]) == (pytest.approx(0.0004), True)
    assert [look["replications"] for look in looks] == [64, 128, 256, 512][: len(looks)]
    assert len(looks) > 1
    assert all(look["half_width"] > 0.0004 for look in looks[:-1])
    assert looks[-1]["replications"] == entry["replications"]
    assert looks[-1]["half_width"] <= 0.0004
    assert looks[-1]["half_width"] == pytest.approx((loss["ci95"][1] - loss["ci95"][0]) / 2)
    assert loss["estimator"] == "control variate"
    assert loss["se"] == loss["controlled"]["se"] < loss["plain"]["se"]
    assert loss["plain"]["mean"] == pytest.approx(1 - entry["ledger"]["useful"] / entry["gpu_hours_total"], rel=1e-12)
    assert loss["mean"] != loss["plain"]["mean"]
    assert entry["tco"]["total_usd"]["mean"] == pytest.approx(entry["tco"]["monthly_usd"] * 36, rel=1e-12)


def test_a_precision_is_the_run_that_it_ended_at(dcsim):
    """The replications are those of a plain run of the same length, whose loss is the plain mean of the ledger."""
    precise = dcsim("run", "small.toml", "--precision", "0.04 pp", *ONE, "--json", "-o", "a")
    (found,) = scenarios(precise)
    (plain,) = scenarios(dcsim("run", "small.toml", "-n", found["replications"], *ONE, "--json", "-o", "b"))
    assert plain["precision"] is None
    assert plain["goodput"]["loss"]["estimator"] == "plain mean"
    assert plain["goodput"]["loss"]["mean"] == found["goodput"]["loss"]["plain"]["mean"]
    assert plain["goodput"]["loss"]["controlled"] == found["goodput"]["loss"]["controlled"]
    assert plain["ledger"] == found["ledger"]
    two = dcsim("run", "small.toml", "--precision", "0.04 pp", "--workers", 2, "--json", "-o", "a", "--resume")
    assert two.stdout == precise.stdout


def test_the_most_replications_end_it_too(dcsim):
    """-n is the cap: a last look there, a warning in JSON and in the report, and exit code 0."""
    (entry,) = scenarios(dcsim("run", "small.toml", "--precision", "0.001 pp", "-n", 100, *ONE, "--json"))
    assert [look["replications"] for look in entry["precision"]["looks"]] == [64, 100]
    assert entry["precision"]["reached"] is False
    assert any("not within ± 0.001 pp after 100 replications" in each for each in entry["warnings"])
    text = " ".join(dcsim("run", "small.toml", "--precision", "0.001 pp", "-n", 100, *ONE).stdout.split())
    assert "looked for ± 0.001 pp after 64 (± " in text
    assert "Small: the loss is not within ± 0.001 pp after 100 replications" in text
    assert "adjusted for the failures drawn (control variate, correlation 0." in text


def test_a_comparison_is_precise_for_every_scenario(dcsim):
    """Both losses are as narrow as asked for, after as many replications, and differences are of what is shown."""
    done = dcsim("compare", "small.toml", "other.toml", "--precision", "1 pp", *ONE, "--json")
    small, other = scenarios(done)
    (pair,) = json.loads(done.stdout)["comparisons"]
    assert small["replications"] == other["replications"]
    for entry in (small, other):
        low, high = entry["goodput"]["loss"]["ci95"]
        assert (high - low) / 2 <= 0.01
    difference = other["goodput"]["loss"]["mean"] - small["goodput"]["loss"]["mean"]
    assert pair["loss_difference"]["mean"] == pytest.approx(difference, rel=1e-9)
    dearer = other["tco"]["total_usd"]["mean"] - small["tco"]["total_usd"]["mean"]
    assert pair["total_usd_difference"]["mean"] == pytest.approx(dearer, rel=1e-9)
    assert sum(pair["attribution"].values()) == pytest.approx(dearer, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("--precision", "0.05"), "precision: found '0.05'; allowed: a number of percentage points"),
        (("--precision", "5 %"), "precision: found '5 %'"),
        (("--precision", "1 pp", "-n", 63), "precision: the first look is after 64 replications; at most 63"),
    ],
)
def test_a_precision_that_cannot_be_is_one_line(dcsim, tmp_path, given, expected):
    """Exit code 2, one line on stderr, nothing on stdout, nothing written."""
    done = dcsim("run", "small.toml", *given, *ONE)
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(expected)
    assert not (tmp_path / "outputs").exists()


def test_what_is_not_known_is_told_from_luck(dcsim):
    """With an MTBF that is drawn both variances are there, and the report says so in the answer."""
    done = dcsim("run", "unknown.toml", "-n", 40, *ONE, "--json")
    (entry,) = scenarios(done)
    loss = entry["goodput"]["loss"]
    assert entry["uncertain"] == ["hazards.gpu.mtbf"]
    assert loss["variance"]["inputs"] > loss["variance"]["luck"] > 0
    (certain,) = scenarios(dcsim("run", "small.toml", "-n", 40, *ONE, "--json"))
    assert certain["goodput"]["loss"]["variance"]["inputs"] == 0
    assert certain["uncertain"] == []
    assert loss["se"] > certain["goodput"]["loss"]["se"]
    assert entry["estimate"]["goodput"] == certain["estimate"]["goodput"]
    text = " ".join(dcsim("run", "unknown.toml", "-n", 40, *ONE).stdout.split())
    assert "Small: uncertain inputs move the lost share by ± " in text
    assert " points, chance by ± " in text
    assert "formulas take the point values of what is uncertain: hazards.gpu.mtbf" in text
    assert "Chance and uncertain inputs move" in " ".join(
        dcsim("compare", "unknown.toml", "small.toml", "-n", 8, *ONE).stdout.split()
    )


def test_uncertain_runs_depend_on_nothing_else(dcsim):
    """Two workers, a resumed run and a run of twice the length give the same replications; an odd number is raised."""
    whole = dcsim("run", "unknown.toml", "-n", 8, *ONE, "--json", "-o", "whole")
    dcsim("run", "unknown.toml", "-n", 3, *ONE, "-o", "kept")
    resumed = dcsim("run", "unknown.toml", "-n", 7, "--workers", 2, "--json", "-o", "kept", "--resume")
    assert resumed.stdout.replace("kept/", "whole/") == whole.stdout
    assert scenarios(resumed)[0]["replications"] == 8


def test_simpy_and_batch_draw_the_same_inputs(dcsim):
    """The engine that is chosen and SimPy account for the same replications of the same sampled scenarios."""
    auto = scenarios(dcsim("run", "unknown.toml", "-n", 6, *ONE, "--json"))[0]
    simpy = scenarios(dcsim("run", "unknown.toml", "-n", 6, *ONE, "--json", "--engine", "simpy"))[0]
    assert auto["ledger"] == simpy["ledger"]
    assert auto["goodput"] == simpy["goodput"]


def test_prices_that_are_drawn_change_bills_alone(dcsim):
    """The goodput of a run with a rent of 3 or 5 USD is that of the certain one; its cost spreads between them."""
    (dear,) = scenarios(dcsim("run", "dear.toml", "-n", 20, *ONE, "--json"))
    (plain,) = scenarios(dcsim("run", "small.toml", "-n", 20, *ONE, "--json"))
    assert dear["goodput"] == plain["goodput"]
    assert dear["ledger"] == plain["ledger"]
    cost = dear["tco"]["total_usd"]
    assert cost["p5"] < 0.8 * plain["tco"]["total_usd"]["mean"]
    assert cost["p95"] > 1.2 * plain["tco"]["total_usd"]["mean"]
    assert cost["mean"] == pytest.approx(sum(dear["tco"]["lines"].values()) * 36, rel=1e-12)


def test_formulas_take_the_point_values(dcsim):
    """`estimate` and `explain` say that they read the point values, and give what they give without the table."""
    text = " ".join(dcsim("estimate", "unknown.toml").stdout.split())
    assert "Small: formulas take the point values of what is uncertain: hazards.gpu.mtbf" in text
    (entry,) = scenarios(dcsim("estimate", "unknown.toml", "--json"))
    assert entry["uncertain"] == ["hazards.gpu.mtbf"]
    steps = json.loads(dcsim("explain", "unknown.toml", "-n", 4, *ONE, "--json").stdout)["steps"]
    assert steps == json.loads(dcsim("explain", "small.toml", "-n", 4, *ONE, "--json").stdout)["steps"]
    assert "formulas take the point values" in " ".join(dcsim("explain", "unknown.toml", "-n", 2, *ONE).stdout.split())


def test_check_knows_the_table(dcsim):
    """`dcsim check` accepts it, and names the end of a distribution that is no scenario."""
    assert dcsim("check", "unknown.toml").stdout.startswith("unknown.toml: ok\n")
    done = dcsim("check", "unknown.toml", "--set", "uncertain.0.value.low=0 s")
    assert done.exit_code == 2
    assert "uncertain.0.value: at 0 s (quantile 0): hazards.gpu.mtbf: found '0 s'; must be above zero" in done.stderr


def test_pairs_are_looked_at_later(dcsim):
    """Where inputs are drawn the first look has 64 pairs, and a cap is made even."""
    (entry,) = scenarios(dcsim("run", "unknown.toml", "--precision", "50 pp", *ONE, "--json"))
    assert [look["replications"] for look in entry["precision"]["looks"]] == [128]
    (entry,) = scenarios(dcsim("run", "unknown.toml", "--precision", "0.01 pp", "-n", 129, *ONE, "--json"))
    assert [look["replications"] for look in entry["precision"]["looks"]] == [128, 130]


def test_reasons_are_told_over_the_first_look(dcsim):
    """The bridges of a precise comparison have as many replications as its first look, and the report says so."""
    done = dcsim("compare", "small.toml", "other.toml", "--precision", "0.04 pp", *ONE)
    assert "why they differ is told over the first 64 replications" in " ".join(done.stdout.split())
