"""`dcsim run`, `compare` and `explain`: what they print, keep and promise."""

import json
import math
import shutil

import pytest

from dcsim.ledger import CAUSES, STATES

ONE = ("--workers", "1")
SUMMARY = {"mean", "se", "ci95", "p5", "p50", "p95", "p5_ci95", "p50_ci95", "p95_ci95"}
ESTIMATED = SUMMARY | {"estimator", "plain", "controlled", "variance"}


def document(done):
    """Read the JSON that a verb printed, refusing what JSON does not know."""
    assert done.exit_code == 0, done.stderr

    def refuse(text):
        raise AssertionError(f"{text} in JSON")

    return json.loads(done.stdout, parse_constant=refuse)


def test_run_as_json(dcsim):
    """The document has the promised keys; the ledger has exactly the 13 states and sums to N * H."""
    (entry,) = document(dcsim("run", "small.toml", "-n", 4, *ONE, "--json"))["scenarios"]
    assert (entry["name"], entry["seed"], entry["engine"], entry["replications"]) == ("Small", 7, "compiled", 4)
    assert len(entry["scenario_sha256"]) == 64
    assert entry["gpu_hours_total"] == 144 * 20 * 24
    assert list(entry["ledger"]) == list(STATES)
    assert math.fsum(entry["ledger"].values()) == pytest.approx(144 * 20 * 24, rel=1e-14)
    assert list(entry["overhead_by_cause"]) == list(CAUSES)
    goodput = entry["goodput"]
    assert goodput["loss"].keys() == goodput["job_loss"].keys() == ESTIMATED
    assert goodput["loss"]["mean"] == pytest.approx(1 - entry["ledger"]["useful"] / (144 * 480), rel=1e-12)
    assert goodput["job_loss"]["mean"] == pytest.approx(1 - entry["ledger"]["useful"] / (128 * 480), rel=1e-12)
    assert goodput["ettr"] == {"train": pytest.approx(entry["ledger"]["useful"] / (128 * 480))}
    assert goodput["interruptions_per_month"].keys() == goodput["failures_per_month"].keys() == {"mean", "se", "ci95"}
    low, high = goodput["loss"]["ci95"]
    assert low < goodput["loss"]["mean"] < high
    assert entry["tco"]["total_usd"].keys() == SUMMARY
    assert entry["tco"]["relative"] == 1
    assert entry["tco"]["usd_per_useful_gpu_hour"].keys() == {"deck", "physical", "all_in"}


def test_the_estimate_inside_a_run_is_the_estimate(dcsim):
    """`run` carries the entry that `estimate` prints."""
    (run,) = document(dcsim("run", "small.toml", "-n", 1, *ONE, "--json"))["scenarios"]
    (estimate,) = document(dcsim("estimate", "small.toml", "--json"))["scenarios"]
    assert run["estimate"] == estimate


def test_one_replication_has_no_interval(dcsim):
    """With -n 1 errors and intervals are null, quantiles are the one value, and the report shows no spread."""
    (entry,) = document(dcsim("run", "small.toml", "-n", 1, *ONE, "--json"))["scenarios"]
    loss = entry["goodput"]["loss"]
    assert loss["se"] is None
    assert loss["ci95"] is None
    assert loss["p5"] == loss["mean"] == loss["p95"]
    text = dcsim("run", "small.toml", "-n", 1, *ONE).stdout
    assert "±" not in text
    assert "seed 7; one run gives no interval" in " ".join(text.split())


def test_a_scenario_without_prices(dcsim, tmp_path):
    """Without [tco] money is null in JSON and absent from the tables; nothing else changes."""
    text = (tmp_path / "small.toml").read_text().partition("[tco]")[0]
    (tmp_path / "free.toml").write_text(text)
    (entry,) = document(dcsim("run", "free.toml", "-n", 2, *ONE, "--json"))["scenarios"]
    assert entry["tco"] is None
    assert entry["estimate"]["tco"] is None
    assert "USD" not in dcsim("run", "free.toml", "-n", 2, *ONE).stdout
    compared = dcsim("compare", "free.toml", "small.toml", "-n", 2, *ONE, "--json")
    (pair,) = document(compared)["comparisons"]
    assert pair["total_usd_difference"] is pair["probability_cheaper"] is pair["attribution"] is None
    text = " ".join(dcsim("compare", "free.toml", "small.toml", "-n", 2, *ONE).stdout.split())
    assert "(No prices per useful GPU-hour: not every scenario has a [tco] table.)" in text


def test_a_scenario_without_a_useful_hour(dcsim):
    """Where a job cannot start before the horizon, the missing price is put down to that, not to a missing table."""
    never = ("--set", "jobs.train.submit=19 d", "--set", "jobs.train.recovery.restore=2 d")
    text = " ".join(dcsim("compare", "small.toml", "other.toml", "-n", 2, *ONE, *never).stdout.split())
    assert "(No prices per useful GPU-hour: no GPU-hour is useful in any run.)" in text


def test_results_do_not_depend_on_the_workers(dcsim):
    """One process and two print the same document to the last digit."""
    alone = dcsim("run", "small.toml", "-n", 4, "--workers", 1, "--json").stdout
    assert dcsim("run", "small.toml", "-n", 4, "--workers", 2, "--json").stdout == alone


def test_a_run_is_kept_and_resumed(dcsim, tmp_path):
    """`run` names the folder it wrote; --resume adds to it and gives what a run in one go gives."""
    whole = dcsim("run", "small.toml", "-n", 6, *ONE, "--json", "-o", "whole").stdout
    first = dcsim("run", "small.toml", "-n", 3, *ONE, "-o", "kept").stdout
    (folder,) = (tmp_path / "kept").iterdir()
    assert f"written: kept/{folder.name}/" in first
    resumed = dcsim("run", "small.toml", "-n", 6, *ONE, "--json", "-o", "kept", "--resume").stdout
    assert resumed.replace("kept/", "whole/") == whole
    for path in (tmp_path / "whole" / folder.name).rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(tmp_path / "whole" / folder.name)).read_bytes() == path.read_bytes()


def test_a_folder_that_is_not_a_run_is_left_alone(dcsim, tmp_path):
    """Where a run's folder holds something else, the run fails with one line and touches nothing."""
    dcsim("run", "small.toml", "-n", 1, *ONE)
    (folder,) = (tmp_path / "outputs").iterdir()
    shutil.rmtree(folder / "replications")
    for path in folder.glob("manifest*.json"):
        path.write_text("mine")
    done = dcsim("run", "small.toml", "-n", 1, *ONE)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert folder.name in line
    assert (folder / "manifest.json").read_text() == "mine"


@pytest.mark.parametrize(("bound", "code"), [("1 %", 0), ("99.9%", 1)])
def test_fail_under(dcsim, bound, code):
    """A goodput below the bound gives exit code 1 after the full report, with one line on stderr."""
    done = dcsim("run", "small.toml", "-n", 2, *ONE, "--fail-under", bound)
    assert done.exit_code == code
    assert "goodput loss, %" in done.stdout
    assert [line.startswith("Small: goodput") for line in done.stderr.splitlines()] == [True] * code


def test_fail_under_sees_every_scenario(dcsim, tmp_path):
    """Of two scenarios of one name the first, which is below the bound, is not hidden by the second, which is above."""
    cold = (tmp_path / "small.toml").read_text().replace('restore = "5 min"', 'restore = "5 min"\nspare = "cold"')
    (tmp_path / "cold.toml").write_text(cold)
    losses = [
        entry["goodput"]["loss"]["mean"]
        for entry in document(dcsim("run", "cold.toml", "small.toml", "-n", 2, *ONE, "--json"))["scenarios"]
    ]
    bound = 100 * (1 - sum(losses) / 2)
    assert losses[0] > losses[1]
    done = dcsim("run", "cold.toml", "small.toml", "-n", 2, *ONE, "--fail-under", f"{bound} %")
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)


def test_the_help_states_the_default(dcsim):
    """The number of replications that --help promises is the one that is run."""
    from dcsim.decide.outcome import REPLICATIONS

    assert f"Replications (default: {REPLICATIONS});" in dcsim("run", "--help").stdout


def test_set_and_seed(dcsim):
    """--seed and --set change the scenario that is run, and its fingerprint with it."""
    (plain,) = document(dcsim("run", "small.toml", "-n", 1, *ONE, "--json"))["scenarios"]
    changed = ("--set", "cluster.spares=4", "--set", "hazards.gpu.mtbf=1500 h", "--seed", 3)
    (entry,) = document(dcsim("run", "small.toml", "-n", 1, *ONE, "--json", *changed))["scenarios"]
    assert entry["seed"] == 3
    assert entry["scenario_sha256"] != plain["scenario_sha256"]
    assert entry["estimate"]["goodput"]["cluster_mtbf_h"] == pytest.approx(1500 / 144)
    assert entry["estimate"]["goodput"]["idle_spare_loss"] == pytest.approx(4 / 144)


def test_the_range_of_mtbf_is_simulated_at_both_ends(dcsim):
    """The range in the scenario moves the loss down from its lowest MTBF to its highest, with the point between."""
    (entry,) = document(dcsim("run", "small.toml", "-n", 4, *ONE, "--json"))["scenarios"]
    ends = entry["mtbf_range"]
    assert (ends["hazards"], ends["replications"]) == ([["gpu", 500, 2000]], 4)
    assert ends["loss_at_lowest"] > entry["goodput"]["loss"]["mean"] > ends["loss_at_highest"]
    (there,) = document(dcsim("run", "small.toml", "-n", 4, *ONE, "--json", "--set", "hazards.gpu.mtbf=500 h"))[
        "scenarios"
    ]
    assert there["goodput"]["loss"]["mean"] == ends["loss_at_lowest"]


def test_compare_as_json(dcsim):
    """Every pair is there, differences are second less first, and the attribution sums to the gap."""
    files = ("small.toml", "other.toml", "small.toml")
    found = document(dcsim("compare", *files, "-n", 4, *ONE, "--json"))
    names = [entry["name"] for entry in found["scenarios"]]
    assert names == ["Small", "Other", "Small"]
    assert {entry["seed"] for entry in found["scenarios"]} == {7}
    assert [(pair["a"], pair["b"]) for pair in found["comparisons"]] == [
        ("Small", "Other"),
        ("Small", "Small"),
        ("Other", "Small"),
    ]
    dearer, same, cheaper = found["comparisons"]
    small, other = (entry["tco"]["total_usd"]["mean"] for entry in found["scenarios"][:2])
    assert dearer["total_usd_difference"]["mean"] == other - small > 0
    assert sum(dearer["attribution"].values()) == pytest.approx(other - small, abs=0.005)
    assert dearer["attribution"]["gpu"] == pytest.approx(144 * 1 * 720 * 36)
    assert (dearer["probability_cheaper"], same["probability_cheaper"], cheaper["probability_cheaper"]) == (1, 0.5, 0)
    assert same["loss_difference"]["ci95"] == [0, 0]
    low, high = dearer["total_usd_difference"]["ci95"]
    assert low <= other - small <= high


def test_a_comparison_runs_on_one_seed(dcsim):
    """Files of different seeds are simulated with the first one's, or --seed, and the report says so."""
    done = dcsim("compare", "small.toml", "other.toml", "-n", 2, *ONE)
    assert "all scenarios are simulated with seed 7" in done.stdout
    done = dcsim("compare", "other.toml", "small.toml", "-n", 2, *ONE, "--json", "--seed", 3)
    assert [entry["seed"] for entry in document(done)["scenarios"]] == [3, 3]


def test_compare_begins_with_the_answer(dcsim):
    """The first sentence names the cheapest offer per useful GPU-hour, the saving and what it rests on."""
    text = " ".join(dcsim("compare", "other.toml", "small.toml", "-n", 4, *ONE).stdout.split())
    assert text.startswith("Small is cheapest: ")
    assert "at Other (25 % more), by price alone." in text[:200]  # both lose as much, whatever fails


def test_what_cannot_be_told_apart_has_no_winner(dcsim):
    """The same scenario twice: no cheapest offer, and a note that the two share a name."""
    text = " ".join(dcsim("compare", "small.toml", "small.toml", "-n", 4, *ONE).stdout.split())
    assert text.startswith("Small and Small cost the same within 1 %: ")
    assert " of 4 runs" not in text
    assert "scenarios of one name are told apart by their order only" in text


def test_the_order_at_the_best_mtbf_is_told(dcsim):
    """A range of MTBF in every scenario: the answer says what the offers cost at its upper end."""
    text = " ".join(dcsim("compare", "small.toml", "other.toml", "-n", 4, *ONE).stdout.split())
    assert "At its highest a useful GPU-hour costs Small " in text


def test_nan_is_no_bound(dcsim):
    """--fail-under "nan %" would never fail, so it is refused."""
    done = dcsim("run", "small.toml", "-n", 1, *ONE, "--fail-under", "nan %")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the number must be finite" in done.stderr


def test_three_offers_fit_80_columns(dcsim, tmp_path):
    """The whole report on the deck's three tiers keeps within 80 columns when piped."""
    tiers = [f"pretrain-5184/{name}" for name in ("gold", "hyperscaler", "silver")]
    short = ("--set", "horizon=1 mo", "-n", 2, *ONE)
    lines = dcsim("compare", *tiers, *short).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if line.startswith("Why formula and simulation differ")]) == 3
    losses = next(line for line in lines if line.startswith("goodput loss, %"))  # by the published formula
    assert losses.split()[-3:] == ["6.14", "10.53", "20.91"]


def test_the_bridge_joins_estimate_and_run(dcsim):
    """The first step of `explain` is the loss of `estimate`, the last that of `run`, and steps add up."""
    found = document(dcsim("explain", "small.toml", "-n", 4, *ONE, "--json"))
    (run,) = document(dcsim("run", "small.toml", "-n", 4, *ONE, "--json"))["scenarios"]
    steps = found["steps"]
    assert steps[0]["loss"] == run["estimate"]["goodput"]["goodput_loss"]
    assert steps[-1]["loss"] == run["goodput"]["loss"]["mean"]
    assert math.fsum(step["delta_pp"] for step in steps) == pytest.approx(100 * (steps[-1]["loss"] - steps[0]["loss"]))
    gap = run["tco"]["total_usd"]["mean"] - run["estimate"]["tco"]["total_usd"]
    assert math.fsum(step["delta_usd"] for step in steps) == pytest.approx(gap, abs=0.005)
    assert all({"name", "loss", "delta_pp", "delta_usd"} <= step.keys() for step in steps)


def test_explain_as_text(dcsim):
    """The page names every step, what it means and what it is worth."""
    steps = document(dcsim("explain", "small.toml", "-n", 2, *ONE, "--json"))["steps"]
    text = dcsim("explain", "small.toml", "-n", 2, *ONE).stdout
    assert text.startswith("Small: the formula says ")
    assert all(text.count(f"\n{step['name']} ") == 2 for step in steps)
