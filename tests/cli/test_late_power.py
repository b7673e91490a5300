"""`dcsim table energisation`, swings in `dcsim run`, conversion in `dcsim topology show`, and their mistakes."""

import json

import pytest

DC = """\
base = "gb300-nvl72"
name = "dc"
description = "racks on 800 V DC"
[power.conversion]
chain = "800vdc"
"""


def test_the_table_answers_first_and_is_kept(dcsim, tmp_path):
    """A sentence with the loss and one with what a bridge may cost; JSON and folder have the same figures, unrounded.

    The second time nothing is simulated: the runs are read from the folder.
    """
    arguments = ("table", "energisation", "plant/bridge-none", "-n", "2", "--workers", "1", "--resume")
    shown, told = dcsim(*arguments), json.loads(dcsim(*arguments, "--json").stdout)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Waiting: late power costs its owner ")
    (phase,) = told["phases"]
    assert (told["table"], told["discount"], phase["name"]) == ("energisation", 0.14, "grid")
    assert phase["lost"]["mean"] == pytest.approx(told["npv_on_time"]["mean"] - told["npv"]["mean"])
    assert f"may cost up to {phase['premium']:.2f} USD more" in " ".join(shown.stdout.split())
    (kept,) = tmp_path.glob("outputs/*/energisation.json")
    assert json.loads(kept.read_text()) == told
    names = {each.name for each in kept.parent.iterdir()}
    assert names == {"energisation.json", "question.json", "report.html", "runs"}
    assert len(list((kept.parent / "runs").iterdir())) == 2


def test_a_phase_that_is_on_time_already_is_simulated_once(dcsim, tmp_path):
    """Two phases, one of them due at the closing: with it on time nothing changes, and nothing is lost to it."""
    dates = ("--set", "energisation.0.date=0 s", *(part for pair in OWNED for part in ("--set", pair)))
    told = json.loads(dcsim("table", "energisation", "plant/energised-late", *dates, "-n", "2", "--json").stdout)
    assert told["phases"][0]["lost"]["mean"] == 0
    (runs,) = tmp_path.glob("outputs/*/runs")
    assert len(list(runs.iterdir())) == 2


OWNED = ("owner.rack=3.1e6 USD", "owner.rent=4 USD")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("table", "energisation", "plant/energised-late"), "owner: Late: missing; this is about an owner"),
        (("table", "energisation", "owner/h200-neocloud"), "missing; all has power at once"),
        (("table", "energisation", "plant/bridge-none", "-L", "a=1"), "takes no values; change dates with --set"),
        (("check", "plant/bridge-none", "--set", "grid.ramp=0 kW"), "grid.ramp"),
        (("check", "plant/bridge-none", "--set", "grid.premum=1 USD/kWh"), 'did you mean "premium"?'),
        (("check", "plant/bridge-none", "--set", "energisation.0.date=soon"), "allowed: interconnect-queue"),
    ],
)
def test_a_mistake_is_one_line(dcsim, arguments, says):
    """Exit code 2, one line on stderr with the path, nothing on stdout."""
    done = dcsim(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_run_tells_swings_only_where_the_scenario_asks_for_them(dcsim):
    """The sentence, the table and the JSON stand where there is a [grid], and nowhere else."""
    few = ("-n", "2", "--workers", "1", "--no-report")
    asked, quiet = (dcsim("run", f"plant/{name}", *few) for name in ("bridge-engines", "energised-behind-the-meter"))
    assert "The connection allows 1 MW" in " ".join(asked.stdout.split())
    assert "Swing of the site's load within a minute" in asked.stdout
    assert "Swing" not in quiet.stdout
    (one,) = json.loads(dcsim("run", "plant/bridge-engines", *few, "--json").stdout)["scenarios"]
    (other,) = json.loads(dcsim("run", "plant/energised-behind-the-meter", *few, "--json").stdout)["scenarios"]
    assert one["swing"]["limit_kw"] == 1000
    assert one["swing"]["p99_kw"] <= max(one["swing"]["largest_fall_kw"], one["swing"]["largest_rise_kw"])
    assert "swing" not in other


def test_a_topology_shows_what_conversion_loses(dcsim, tmp_path):
    """Stage by stage, in all, and in JSON; without the table nothing is said of it."""
    (tmp_path / "dc.toml").write_text(DC)
    shown = dcsim("topology", "show", "./dc.toml", "--gpus", "576")
    assert "From the meter to the racks at full load" in shown.stdout
    assert "0.456 % of what the same" in shown.stdout
    told = json.loads(dcsim("topology", "show", "./dc.toml", "--gpus", "576", "--json").stdout)
    chain = told["conversion"]
    assert chain["watts"] == pytest.approx(told["watts"]["it"] * (1 / chain["efficiency"] - 1))
    assert told["watts"]["site"] == pytest.approx(1.25 * told["watts"]["it"] + chain["watts"])
    plain = json.loads(dcsim("topology", "show", "gb300-nvl72", "--gpus", "576", "--json").stdout)
    assert "conversion" not in plain
    listed = dcsim("list", "presets").stdout
    assert 'energisation.date = "interconnect-queue"' in listed
