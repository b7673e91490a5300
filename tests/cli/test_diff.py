"""`dcsim diff`, and gates of `run` and `compare`."""

import json

import pytest

ONE = ("--workers", 1)


def test_diff_prints_the_keys_that_differ(dcsim):
    """Simulated ones and prices apart, with both values and units; the exit code is 0."""
    done = dcsim("diff", "small.toml", "other.toml")
    assert (done.exit_code, done.stderr) == (0, "")
    first, simulated, costs, unread = done.stdout.split("\n\n")
    assert first == (
        "Small and Other differ in 3 keys: 1 that runs depend on, 1 of prices and 1 that\nneither depends on."
    )
    assert [line.split() for line in simulated.splitlines()[2:]] == [["cluster.spares", "8", "0"]]
    assert [line.split() for line in costs.splitlines()[2:]] == [["tco.gpu_hour", "4", "USD", "5", "USD"]]
    assert unread.splitlines()[2].split() == ["seed", "7", "8"]


def test_diff_of_one_scenario_with_itself(dcsim):
    """Says that there is no difference, with exit code 0."""
    done = dcsim("diff", "small.toml", "small.toml", "-n", 2, *ONE)
    assert (done.exit_code, done.stdout) == (0, "Small and Small have the same inputs.\n")


def test_diff_with_runs_says_what_each_group_does(dcsim):
    """The steps add up to the gap, in JSON too, where values stand with their keys."""
    said = json.loads(dcsim("diff", "small.toml", "other.toml", "-n", 3, *ONE, "--json").stdout)
    assert [each["key"] for each in said["differences"]] == ["cluster.spares", "tco.gpu_hour", "seed"]
    assert said["differences"][1]["values"] == ["4 USD", "5 USD"]
    steps, gap = said["walk"]["steps"], said["walk"]["gap"]
    assert [each["groups"] for each in steps] == [["spares"], ["gpu"]]
    for figure in ("lost", "usd_per_useful_gpu_hour", "paid_usd"):
        parts = [each["in_turn"][figure]["mean"] for each in steps]
        assert sum(parts) == pytest.approx(gap[figure]["mean"], rel=1e-12)
    text = dcsim("diff", "small.toml", "other.toml", "-n", 3, *ONE).stdout
    assert "Why Other differs from Small: USD per useful GPU-hour" in text
    assert "the gap by line" not in text


def test_diff_without_runs_has_no_walk(dcsim):
    """JSON says so."""
    assert json.loads(dcsim("diff", "small.toml", "other.toml", "--json").stdout)["walk"] is None


def test_set_changes_both_sides_of_a_diff(dcsim):
    """What is set to one value differs no more."""
    said = dcsim("diff", "small.toml", "other.toml", "--set", "cluster.spares=4").stdout
    assert "cluster.spares" not in said


def test_a_wrong_file_of_a_diff_is_one_line(dcsim):
    """With exit code 2, before anything is simulated."""
    done = dcsim("diff", "small.toml", "smal.toml", "-n", 2)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("files", [(), ("small.toml",), ("small.toml",) * 3])
def test_diff_needs_two_files(dcsim, files):
    """Whatever else is one line with exit code 2."""
    done = dcsim("diff", *files)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"Found {len(files)} FILEs; name two." in done.stderr


def test_a_hazard_that_one_scenario_lacks_is_named(dcsim, tmp_path):
    """By its key, as one that comes or goes."""
    more = '[[hazards]]\ncomponent = "leaf"\nmtbf = "5000 h"\nrepair = "1 h"\n'
    (tmp_path / "more.toml").write_text((tmp_path / "small.toml").read_text() + more)
    assert "failures  with hazards.leaf\n" in dcsim("diff", "small.toml", "more.toml", "-n", 1, *ONE).stdout
    assert "failures  without hazards.leaf\n" in dcsim("diff", "more.toml", "small.toml", "-n", 1, *ONE).stdout


def test_a_comparison_says_why_offers_differ(dcsim):
    """In the answer, in a table and in JSON; not where only JSON without a report is asked for."""
    done = dcsim("compare", "small.toml", "other.toml", "-n", 3, *ONE)
    assert "Other less Small: +" in done.stdout
    assert "Why Other differs from Small: USD per useful GPU-hour" in done.stdout
    said = json.loads(dcsim("compare", "small.toml", "other.toml", "-n", 3, *ONE, "--json", report=True).stdout)
    assert [each["groups"] for each in said["walks"][0]["steps"]] == [["spares"], ["gpu"]]
    assert json.loads(dcsim("compare", "small.toml", "other.toml", "-n", 2, *ONE, "--json").stdout)["walks"] == []


# --- gates ------------------------------------------------------------------------------------------------------------


def test_a_gate_that_holds_changes_no_exit_code(dcsim):
    """The page says first that it holds, stderr nothing."""
    done = dcsim("run", "small.toml", "-n", 3, *ONE, "--fail-if", "loss > 99 %")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("The gate holds.\n")


def test_a_broken_gate_gives_exit_code_1_and_is_named_first(dcsim):
    """On stderr, on the page and in JSON, before those that hold; the page is whole."""
    gates = ("--fail-if", "loss > 99 %", "--fail-if", "loss > 0.1 %")
    done = dcsim("run", "small.toml", "-n", 3, *ONE, *gates)
    assert done.exit_code == 1
    assert done.stderr.startswith('Small: --fail-if "loss > 0.1 %" is broken: ')
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout.startswith('Small: --fail-if "loss > 0.1 %" is broken: ')
    assert "goodput loss, %" in done.stdout
    done = dcsim("run", "small.toml", "-n", 3, *ONE, *gates, "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert [(each["text"], each["broken"], each["certain"]) for each in said["gates"]] == [
        ("loss > 0.1 %", True, True),
        ("loss > 99 %", False, True),
    ]
    assert said["gates"][0]["value"] == said["scenarios"][0]["goodput"]["loss"]["mean"]
    assert said["gates"][0]["ci95"] == said["scenarios"][0]["goodput"]["loss"]["ci95"]


def test_a_bound_within_the_interval_is_told(dcsim):
    """Broken or not: more runs would tell."""
    said = json.loads(dcsim("run", "small.toml", "-n", 3, *ONE, "--json").stdout)["scenarios"][0]["goodput"]["loss"]
    for factor, code in ((0.9999, 1), (1.0001, 0)):
        done = dcsim("run", "small.toml", "-n", 3, *ONE, "--fail-if", f"loss > {100 * factor * said['mean']} %")
        assert done.exit_code == code
        assert "not certain: the bound lies within the interval; more runs would tell" in done.stderr


def test_fail_under_is_a_gate(dcsim):
    """JSON lists it with the others; what it says on stderr is what it always said."""
    done = dcsim("run", "small.toml", "-n", 2, *ONE, "--fail-under", "99 %", "--fail-if", "loss > 99 %", "--json")
    assert done.exit_code == 1
    assert [each["text"] for each in json.loads(done.stdout)["gates"]] == ["goodput < 99 %", "loss > 99 %"]
    assert "is below --fail-under 99 %" in done.stderr


@pytest.mark.parametrize("verb", ["run", "compare"])
def test_wrong_gates_are_told_before_anything_is_simulated(dcsim, tmp_path, verb):
    """One line each, exit code 2, no folder."""
    wrong = ("--fail-if", "los > 6 %", "--fail-if", "loss > 6")
    done = dcsim(verb, "small.toml", "other.toml", "-n", 2, *ONE, *wrong)
    assert (done.exit_code, done.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        '--fail-if "los > 6 %"',
        '--fail-if "loss > 6"',
    ]
    assert not (tmp_path / "outputs").exists()


def test_which_offer_is_cheaper_is_a_gate_of_comparisons(dcsim):
    """Small is cheaper in all runs, by name; run has no such gate."""
    done = dcsim("compare", "small.toml", "other.toml", "-n", 30, *ONE, "--fail-if", "p(cheaper, Small) < 0.8")
    assert (done.exit_code, done.stderr) == (0, "")
    done = dcsim("compare", "small.toml", "other.toml", "-n", 30, *ONE, "--fail-if", "p(cheaper, Other) < 0.8")
    assert done.exit_code == 1
    assert done.stderr.startswith('Other: --fail-if "p(cheaper, Other) < 0.8" is broken: 0.0 (0.0 to ')
    done = dcsim("compare", "small.toml", "other.toml", "-n", 2, *ONE, "--fail-if", "p(cheaper, Smal) < 0.8")
    assert (done.exit_code, done.stderr.strip().endswith('did you mean "Small"?')) == (2, True)
    done = dcsim("run", "small.toml", "other.toml", "-n", 2, *ONE, "--fail-if", "p(cheaper, Small) < 0.8")
    assert (done.exit_code, "dcsim compare" in done.stderr) == (2, True)


def test_a_shard_has_no_gates(dcsim):
    """It has some of the runs only."""
    done = dcsim("run", "small.toml", "-n", 4, *ONE, "--shard", "1/2", "--fail-if", "loss > 6 %")
    assert done.exit_code == 2
    assert "--fail-if needs all replications" in done.stderr


def test_a_sweep_judges_every_point(dcsim):
    """Broken ones come first, by their settings; JSON lists every gate of every point."""
    swept = ("sweep", "small.toml", "-L", "hazards.gpu.detect=1 min,4 h", "-n", 3, *ONE, "--no-report")
    said = json.loads(dcsim(*swept, "--fail-if", "loss > 99 %", "--json").stdout)["gates"]
    assert [(each["name"], each["broken"]) for each in said] == [
        ("Small at hazards.gpu.detect 1 min", False),
        ("Small at hazards.gpu.detect 4 h", False),
    ]
    bound = 50 * sum(each["value"] for each in said)
    done = dcsim(*swept, "--fail-if", f"loss > {bound} %")
    assert done.exit_code == 1
    assert done.stderr.startswith(f'Small at hazards.gpu.detect 4 h: --fail-if "loss > {bound} %" is broken: ')
    assert done.stdout.startswith("Small at hazards.gpu.detect 4 h: ")
    assert dcsim(*swept, "--fail-if", "los > 1 %").exit_code == 2


def test_of_many_broken_gates_ten_are_told(dcsim):
    """And how many more there are."""
    swept = ("sweep", "small.toml", "-L", "hazards.gpu.detect=1 min:13 min:1 min", "-n", 2, *ONE, "--no-report")
    done = dcsim(*swept, "--fail-if", "loss > 0.001 %")
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 11)
    assert done.stderr.splitlines()[-1] == "and 3 more that are broken or not certain"
