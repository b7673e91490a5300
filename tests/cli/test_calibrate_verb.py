"""`dcsim calibrate`: from records of several shapes to a sentence, a table, a page and a scenario that runs."""

import csv
import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dcsim import load
from dcsim.records.runs import OUTCOMES
from tests.field.writers import Run, sacct
from tests.oracle.test_calibrate_blame import jobs

SEED = 20261129
NODES, DAYS = 96, 181
AS = (
    "--columns", "start=Opened at", "--columns", "end=Closed at", "--columns", "component=Asset",
    "--units", str(NODES), "--span", f"{DAYS} d",
)  # fmt: skip


def tickets(path: Path, open_too: int = 1, broken: str = "") -> Path:
    """Write a ticket export: semicolons, day first, two causes, two nodes that fail 25 times as often."""
    rng = np.random.default_rng(SEED)
    weights = np.ones(NODES)
    weights[[17, 60]] = 25
    begin, lines = datetime(2026, 1, 1), ["Ticket;Opened at;Closed at;Asset;Root cause"]
    for number in range(150):
        start = begin + timedelta(hours=float(rng.uniform(0, (DAYS - 20) * 24)))
        end = start + timedelta(hours=float(np.exp(rng.normal(0.8, 1.0))))
        node, cause = rng.choice(NODES, p=weights / weights.sum()), rng.choice(["GPU", "NIC"], p=[0.7, 0.3])
        closed = "" if number < open_too else f"{end:%d.%m.%Y %H:%M}"
        lines.append(f"INC{number};{start:%d.%m.%Y %H:%M};{closed};n{node:02d};{cause}")
    path.write_text("\n".join([*lines, *filter(None, [broken])]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Give the ticket export."""
    return tickets(tmp_path / "tickets.csv")


def lines(text: str) -> str:
    return " ".join(text.split())


def test_the_first_sentence_is_the_finding(dcsim, record):
    done = dcsim("calibrate", record, *AS)
    assert done.exit_code == 0, done.output
    text = lines(done.stdout)
    count = json.loads(dcsim("calibrate", record, *AS, "--json").stdout)["together"]["failures"]
    assert text.startswith(f"In 181 days 96 nodes failed {count} times: one failure per node every ")
    assert "A failure takes" in text
    assert "at the median and" in text
    assert re.search(r"Beyond chance: n(17|60) \(\d+\) and n(17|60) \(\d+\)\.", text)
    assert "1 outage without an end came before another failure of the same component" in text
    assert text.endswith("--span '181 d' -o calibrated.toml")


def test_classes_are_told_apart_by_a_column(dcsim, record):
    found = json.loads(dcsim("calibrate", record, *AS, "--class", "Root cause", "--json").stdout)
    assert [each["class"] for each in found["classes"]] == ["GPU", "NIC"]
    assert sum(each["failures"] for each in found["classes"]) >= found["together"]["failures"]
    together = json.loads(dcsim("calibrate", record, *AS, "--together", "--json").stdout)
    assert [each["class"] for each in together["classes"]] == ["all"]


def test_the_scenario_has_what_was_measured_and_runs(dcsim, record, tmp_path):
    done = dcsim("calibrate", record, *AS, "--class", "Root cause", "-o", "mine.toml")
    assert done.exit_code == 0, done.output
    assert "mine.toml: 2 hazards from the record" in done.stdout
    assert done.stdout.endswith("Next: dcsim run mine.toml\n")
    assert "ok" in dcsim("check", "mine.toml").stdout
    scenario = load(tmp_path / "mine.toml")
    assert scenario.cluster.gpus == 8 * NODES
    assert [hazard.name for hazard in scenario.hazards] == ["GPU", "NIC"]
    assert {each.key for each in scenario.uncertain} >= {"hazards.GPU.mtbf", "hazards.GPU.repair.mean"}
    assert scenario.correlated
    assert scenario.hazards[0].lemons is not None
    assert scenario.hazards[0].lemons.factor == pytest.approx(25, rel=0.6)
    assert dcsim("run", "mine.toml", "-n", "4").exit_code == 0


def test_every_number_of_the_scenario_names_its_source(dcsim, record, tmp_path):
    dcsim("calibrate", record, *AS, "-o", "mine.toml")
    tables = ("mtbf", "detect", "repair", "lemons", "value", "rank_correlation", "gpus", "spares", "restore")
    for line in (tmp_path / "mine.toml").read_text().splitlines():
        if line.partition(" = ")[0] in tables:
            assert any(word in line for word in ("# measured", "# assumed", "# public", "# not told")), line


def test_another_scenario_keeps_all_but_its_hazards(dcsim, record, tmp_path):
    done = dcsim("calibrate", record, *AS, "--into", "failures/reference", "-o", "mine.toml")
    assert done.exit_code == 0, done.output
    mine, reference = load(tmp_path / "mine.toml"), load("failures/reference")
    assert (mine.cluster, mine.jobs) == (reference.cluster, reference.jobs)
    assert mine.hazards != reference.hazards
    shown = dcsim("calibrate", record, *AS, "--into", "failures/reference").stdout
    fragment = tomllib.loads(shown[shown.index("[[hazards]]") :])
    assert fragment["hazards"][0]["mtbf"].endswith(" h")
    text = (tmp_path / "mine.toml").read_text()
    assert "# Sources: public (RSC)" in text


def test_the_report_has_a_picture_of_each_estimate(dcsim, record, tmp_path):
    done = dcsim("calibrate", record, *AS, "--report", "page.html")
    assert "report: page.html" in done.stdout
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 5
    for title in (
        "Failures per 1,000 node-days", "Failures over time", "Do some nodes fail more often than others?",
        "From a repair to the next failure", "How long repairs take",
    ):  # fmt: skip
        assert title in page
    assert "sha256 of tickets.csv" in page


def test_csv_has_the_table(dcsim, record):
    text = dcsim("calibrate", record, *AS, "--format", "csv").stdout
    assert text.startswith("section,table,row,column,value,half_width")
    assert "MTBF" in text


def test_few_failures_give_a_wide_answer_and_a_prior_narrows_it(dcsim, tmp_path):
    asked = ("calibrate", "--failures", 2, "--units", 8, "--span", "30 d")
    alone = json.loads(dcsim(*asked, "--json").stdout)["together"]
    low, high = alone["mtbf_ci95_h"]
    assert (low, high) == (pytest.approx(797, rel=0.01), pytest.approx(23_780, rel=0.01))
    text = lines(dcsim(*asked, "--prior", "llama3", "-o", "mine.toml").stdout)
    assert (
        "With 4 failures at the rate of llama3 (one per node every 6,330 h) taken in, it is one every 5,180 h" in text
    )
    assert "the record alone says one every 2,880 h (797 to 23,800)" in text
    scenario = load(tmp_path / "mine.toml")
    assert len(scenario.uncertain[0].value.amounts) == 100
    assert "ok" in dcsim("check", "mine.toml").stdout


def test_no_failure_gives_a_bound(dcsim):
    text = lines(dcsim("calibrate", "--failures", 0, "--units", 8, "--span", "30 d").stdout)
    assert "8 nodes did not fail: more than 1,560 h per node between failures, with 97.5 % confidence." in text


def test_the_last_part_of_a_record_may_be_taken(dcsim, record):
    asked = ("calibrate", record, *AS, "--json")
    whole, last = (json.loads(dcsim(*asked, *more).stdout) for more in ((), ("--last", "60 d")))
    assert last["span_h"] == 60 * 24
    assert last["together"]["failures"] < whole["together"]["failures"]


def test_several_files_are_one_record(dcsim, record, tmp_path):
    header, *rows = record.read_text().splitlines()
    for name, part in (("a.csv", rows[:70]), ("b.csv", rows[70:])):
        (tmp_path / name).write_text("\n".join([header, *part]) + "\n")
    one, two = (
        json.loads(dcsim("calibrate", *files, *AS, "--json").stdout)["together"]
        for files in ([record], ["a.csv", "b.csv"])
    )
    for key in ("failures", "exposure_unit_h", "open"):
        assert one[key] == pytest.approx(two[key], rel=1e-9)
    assert one["repair"]["mean_h"] == pytest.approx(two["repair"]["mean_h"], rel=1e-9)


def test_broken_lines_are_counted_and_shown(dcsim, tmp_path):
    record = tickets(tmp_path / "tickets.csv", broken="INC999;yesterday;;n01;GPU")
    text = lines(dcsim("calibrate", record, *AS).stdout)
    assert "1 line could not be used" in text
    assert "first line 152: found" in text
    assert "yesterday" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), " calibrate: Name a file, or say --failures, --units and --span"),
        (("none.csv",), "none.csv: cannot be read: No such file or directory"),
        (("tickets.csv",), "tickets.csv: has no column that says when an outage began"),
        (("tickets.csv", "--columns", "start=Opened"), 'has no column \'Opened\'; found: Ticket, Opened at'),
        (("tickets.csv", "--columns", "starts=Opened at"), 'did you mean "start"?'),
        (("tickets.csv", "--columns", "start"), 'found "start"; must be ROLE=COLUMN'),
        (("tickets.csv", *AS[:6], "--units", "3"), "units: found 3; the record names"),
        (("tickets.csv", *AS[:8], "--span", "3 d"), "the last outage begins"),
        (("tickets.csv", *AS[:2], "--span", "181 d"), "the record does not name components"),
        (("tickets.csv", *AS, "--where", "Root = GPU"), 'did you mean "Root cause"?'),
        (
            ("tickets.csv", *AS, "--where", "Root cause = PSU"),
            "if nothing failed: dcsim calibrate --failures 0 --units 96 --span '181 d'\n",
        ),
        (
            ("tickets.csv", *AS[:-4], "--where", "Root cause = PSU"),
            "if nothing failed: dcsim calibrate --failures 0 --units N --span '180 d' (N components in service and for "
            "how long somebody watched)\n",
        ),
        (("tickets.csv", *AS, "--class", "Root cause", "--together"), "tells no classes apart; found --class"),
        (("tickets.csv", *AS, "--component", "leaf", "--prior", "llama3"), "leaf holds no GPU"),
        (("tickets.csv", *AS, "--topology", "hgx"), "--topology: found 'hgx'"),
        (("tickets.csv", *AS, "--into", "none"), "none: no such file"),
        (("tickets.csv", *AS, "-o", "tickets.csv"), "must end in .toml"),
        (("tickets.csv", *AS, "-o", "small.toml"), "exists and is not overwritten"),
        (("--failures", "2", "--units", "8", "--span", "30"), "the unit is missing"),
        (("--failures", "2", "--units", "8"), "needs --span, too"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_written(dcsim, record, tmp_path, arguments, told):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = dcsim("calibrate", *arguments)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_in_a_record_are_never_markup_nor_code(dcsim, tmp_path):
    """Classes, components and the file's name hold quotes, markup and control characters; what is written is valid."""
    evil = '<script>alert(1)</script>\x1b(31m""" # = \' \u202e'
    record = tmp_path / "<b>'\\ #\x1b.csv"
    with record.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["start", "end", "node", "cause"])
        for day in range(1, 28):
            began, ended = (f"2026-01-{day:02d} {hour:02d}:30" for hour in (4, 5 + day % 7))
            table.writerow([began, ended, f"n{day % 3} {evil}", f"{evil} ]]{day % 2}"])
    done = dcsim("calibrate", record, "--units", "8", "-o", "mine.toml", "--report", "page.html")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert len(load(tmp_path / "mine.toml").hazards) == 2
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    assert dcsim("run", "mine.toml", "-n", "2").exit_code == 0


FIELD = Path(__file__).parents[1] / "field"


def test_the_forms_that_are_offered_are_those_that_can_be_read():
    from dcsim.cli.calibrate import FORMS
    from dcsim.records import forms

    assert tuple(forms.FORMS) == FORMS


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("sacct.txt", ()), ("sacct-23.11.json", ()), ("slurmctld.log", ()), ("sinfo-reasons.txt", ("--units", "64")),
        ("syslog", ("--year", "2026")), ("journal-short-iso.txt", ()), ("dcgm.prom", ()), ("dcgm.csv", ()),
        ("sinfo-23.11.json", ()),
    ],
)  # fmt: skip
def test_every_form_of_the_field_is_calibrated(dcsim, tmp_path, file, more):
    done = dcsim("calibrate", FIELD / file, *more, "-o", "mine.toml")
    assert done.exit_code == 0, done.output
    assert " failed " in lines(done.stdout)
    assert "ok" in dcsim("check", "mine.toml").stdout


def test_errors_of_applications_stop_jobs_and_no_hardware(dcsim, tmp_path):
    """DCGM tells errors by GPU and by what NVIDIA asks for."""
    text = lines(dcsim("calibrate", FIELD / "dcgm.csv", "-o", "mine.toml").stdout)
    assert "2 GPUs failed 2 times: one failure per GPU every" in text
    effects = {hazard.name: (hazard.component, hazard.effect) for hazard in load(tmp_path / "mine.toml").hazards}
    assert effects == {"reboot-node": ("gpu", "interrupt"), "application": ("gpu", "kill")}
    assert "not used" not in dcsim("check", "mine.toml").stdout


def test_a_job_that_measured_itself_has_its_time_shown(dcsim):
    """Of 100,000 s 90,000 were productive and 5,000 were done again; three disruptions are one every 9.26 h."""
    done = dcsim("calibrate", FIELD / "goodput.json")
    assert done.exit_code == 0
    answer, _, table = done.stdout.partition("Where the job's time went")
    assert " ".join(answer.split()) == (
        "The job was productive for 90.00 % of 27.8 h. The largest loss is wasted progress from disruption: 5.00 % of "
        "the time. It was disrupted 3 times: once every 9.26 h (3.17 to 44.9, with 95 % confidence)."
    )
    rows = {re.split(r"  +", line)[0]: line.split() for line in table.splitlines() if "  " in line}
    assert rows["wasted progress from disruption"][-5:] == ["1.4", "5.00", "work", "done", "again"]
    assert rows["productive"][-3:] == ["25.0", "90.00", "running"]
    assert rows["eval step"][-3:] == ["0.1", "0.50", "-"]
    assert 'dcsim calibrate --failures 3 --units NODES --span "27.7778 h"' in done.stdout
    assert json.loads(dcsim("calibrate", FIELD / "goodput.json", "--json").stdout) == {
        "form": "goodput",
        "goodput": 0.9,
        "hours": {
            "PRODUCTIVE": 25.0,
            "TPU_INITIALIZATION": pytest.approx(1 / 3.6),
            "WASTED_PROGRESS_FROM_DISRUPTION": pytest.approx(5 / 3.6),
            "EVAL_STEP": pytest.approx(0.5 / 3.6),
            "OTHER": pytest.approx(3.5 / 3.6),
        },
        "total_h": pytest.approx(100 / 3.6),
        "disruptions": 3,
    }


@pytest.mark.parametrize("option", ["-o", "--report"])
def test_shares_of_a_job_make_no_scenario_and_no_page(dcsim, tmp_path, option):
    """They tell no rate of components, so nothing is written."""
    file = tmp_path / ("x.toml" if option == "-o" else "x.html")
    done = dcsim("calibrate", FIELD / "goodput.json", option, file)
    assert done.exit_code == 2
    assert "no rate of components" in done.stderr
    assert not file.exists()


def test_a_simulated_plant_is_found_again(dcsim, tmp_path):
    """The event log of a run of failures/reference: its nodes fail every 3,692 h, repairs take 6 h in the mean."""
    done = dcsim("run", "failures/reference", "-n", "1", "--events", "-o", "runs")
    assert done.exit_code == 0, done.output
    (log,) = (tmp_path / "runs").glob("*/events/*.parquet")
    found = json.loads(dcsim("calibrate", log, "--units", "256", "--span", "360 d", "--json").stdout)["together"]
    low, high = found["mtbf_ci95_h"]
    assert low < 3692.3 < high
    low, high = found["repair"]["mean_ci95_h"]
    assert low < 6 + 1 / 6 < high  # with ten minutes of detection
    assert not found["lemons"]["found"]
    assert not found["bursts"]


def test_sacct_says_who_is_to_blame(dcsim, tmp_path):
    """Two bad nodes and two careless owners are named; nodes that a careless owner favours are not accused."""
    runs = jobs(np.random.default_rng(20261202), told=0.6)
    states = {"completed": "COMPLETED", "failed": "FAILED", "node failure": "NODE_FAIL"}
    sacct(
        tmp_path / "sacct.txt",
        [
            Run(
                float(runs.start_h[row]),
                float(runs.end_h[row]),
                [runs.nodes[each] for each in runs.node[runs.first[row] : runs.first[row + 1]]],
                runs.owners[runs.owner[row]],
                states[OUTCOMES[runs.outcome[row]]],
            )
            for row in range(len(runs))
        ],
    )
    done = dcsim("calibrate", "sacct.txt", "--report", "page.html")
    answer = " ".join(done.stdout.split())
    first, second = re.split(r"(?<=[^0-9])\. ", answer)[:2]
    assert re.search(
        r"nodes failed [\d,]+ times by the scheduler's own account: one such failure per node every", first
    )
    assert "are due to nodes, the rest to the jobs themselves" in second  # these are more
    assert "Nodes on which jobs fail more often, whoever's they are, and how often in 1,000 h: n" in answer
    assert "Owners whose jobs fail more often, on whatever nodes, and how often in 1,000 h: u" in answer
    intervals = re.findall(r"\b([nu]\d+) \(([\d.]+) to ([\d.]+)\)", answer)
    assert {name for name, _, _ in intervals} == {"n0", "n1", "u0", "u1"}
    assert all(float(low) < (20 if name[0] == "n" else 60) < float(high) for name, low, high in intervals)
    failed, due, low, high = map(
        int, re.search(r"Of ([\d,]+) runs of jobs that failed about (\d+) \((\d+) to (\d+)\) are", answer).groups()
    )
    assert low < due < high
    blame = json.loads(dcsim("calibrate", "sacct.txt", "--json").stdout)["blame"]
    told = {each["name"]: (each["low"], each["high"]) for each in (*blame["nodes"], *blame["owners"])}
    assert all(told[name][0] == pytest.approx(float(low) / 1000, rel=0.01) for name, low, _ in intervals)
    assert told.keys() > {"n0", "n1", "u0", "u1"}
    assert all(each == (None, None) for name, each in told.items() if name not in ("n0", "n1", "u0", "u1"))
    by_node = np.where(runs.node.reshape(-1, 4) < 2, 0.02, 0.0005).sum(axis=1)
    assert due == pytest.approx(float((by_node * (runs.end_h - runs.start_h)).sum()), rel=0.15)
    assert due < failed / 2
    page = (tmp_path / "page.html").read_text()
    assert "Who is to blame" in page
    assert "95 % interval" in page
    assert all(f"{low} to {high}" in page for _, low, high in intervals)
    assert "Looked at closely" in page
