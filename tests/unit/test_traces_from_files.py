"""Traces cut from one file: one clock, one random beginning, one numbering of names; hostlists; when it began."""

import pytest

import dcsim
from dcsim.records.times import FORMS
from dcsim.scenario import to_toml
from dcsim.scenario.record_cautions import records_told
from dcsim.units import MS_PER_H
from tests.unit.logged_scenarios import CAUSES, GPU, NETWORK, errors, failures, traces, writer


@pytest.fixture
def write(tmp_path):
    """What writes a log and a scenario of its traces."""
    return writer(tmp_path)


# --- one clock --------------------------------------------------------------------------------------------------------


def test_causes_of_one_file_keep_their_common_time(write):
    """Both count from the file's first outage, 1 March, though neither takes it: gpu at 60 and 240 h, network at 96."""
    scenario = dcsim.load(write(CAUSES, ("gpu", GPU), ("network", NETWORK), horizon=250))
    assert failures(scenario) == {"gpu": [(60, 1), (240, 2)], "network": [(96, 0), (192, 1)]}


def test_causes_share_their_names(write):
    """n9, n10 and n11 are nodes 0, 1 and 2 in natural order: n10 is one node for both, rack-a is taken by none."""
    found = traces(write(CAUSES, ("gpu", GPU), ("network", NETWORK)))
    assert (found["gpu"].component, found["network"].component) == ((1, 2), (0, 1))


def test_names_of_another_kind_are_numbered_apart(write, tmp_path):
    """A rack is no node: rack-a is rack 0, and the nodes keep their numbers."""
    path = write(CAUSES, ("gpu", GPU), ("power", 'where = { cause = "power" }'), ("network", NETWORK))
    path.write_text(
        path.read_text().replace('name = "power"\ncomponent = "node"', 'name = "power"\ncomponent = "rack"')
    )
    found = traces(path)
    assert [found[key].component for key in ("gpu", "power", "network")] == [(1, 2), (0,), (0, 1)]


def test_numbers_stay_numbers_unless_another_cut_has_names(write):
    """All of 7, 2 and 12 as they are; with a name among them all are names: 2, 7, 12, x in natural order."""
    log = "start_h,component,cause\n1,7,gpu\n2,2,gpu\n3,12,network\n4,{},network\n"
    found = traces(write(log.format("5"), ("gpu", GPU), ("network", NETWORK), horizon=5))
    assert (found["gpu"].component, found["network"].component) == ((7, 2), (12, 5))
    found = traces(write(log.format("x"), ("gpu", GPU), ("network", NETWORK), horizon=5))
    assert (found["gpu"].component, found["network"].component) == ((1, 0), (2, 3))


def test_the_length_of_a_record_is_that_of_its_file(write):
    """Left out it reaches a mean gap beyond the last outage: (240 + 240 / 4) h; said once it holds for all cuts."""
    found = traces(write(CAUSES, ("gpu", GPU), ("network", NETWORK)))
    assert {trace.span_ms / MS_PER_H for trace in found.values()} == {300}
    found = traces(write(CAUSES, ("gpu", GPU), ("network", f'{NETWORK}, span = "744 h", repeat = true')))
    assert {(trace.span_ms / MS_PER_H, trace.repeat) for trace in found.values()} == {(744, True)}


def test_a_random_beginning_is_one_for_all_cuts(write):
    """In every replication the outages of both causes lie as the log has them, in a ring of 300 h."""
    keys = 'start = "random", repeat = true'
    scenario = dcsim.load(write(CAUSES, ("gpu", f"{GPU}, {keys}"), ("network", NETWORK), horizon=600))
    gpu, beginnings = {60: 1, 240: 2}, set()
    for replication in range(20):
        found = failures(scenario, replication)
        assert [len(each) for each in found.values()] == [4, 4]
        offset = (60 - next(at for at, node in found["gpu"] if node == 1)) % 300
        beginnings.add(round(offset, 6))
        where = {(round((at + offset) % 300, 4), node) for each in found.values() for at, node in each}
        assert where == {*gpu.items(), (96, 0), (192, 1)}
    assert len(beginnings) == 20


def test_a_further_cause_shifts_no_draw(write):
    """The beginning is drawn for the record, not for the hazard that stands first."""
    keys = 'span = "300 h", begin = "2024-03-01", start = "random", repeat = true'
    alone = failures(dcsim.load(write(CAUSES, ("network", f"{NETWORK}, {keys}"))), 3)
    both = failures(dcsim.load(write(CAUSES, ("gpu", f"{GPU}, {keys}"), ("network", NETWORK))), 3)
    assert [at for at, _ in both["network"]] == [at for at, _ in alone["network"]]


def test_a_log_of_several_systems_begins_with_the_system_that_all_cuts_have(write):
    """System 2 began in 1996, system 20 in 2004: causes of system 20 count from its own first outage."""
    log = "system,start,cause\n2,1996-01-01,gpu\n20,2004-01-01,disk\n20,2004-01-02,gpu\n20,2004-01-04,network\n"
    cuts = [(cause, f'where = {{ system = "20", cause = "{cause}" }}') for cause in ("gpu", "network")]
    found = traces(write(log, *cuts, horizon=24))
    assert [[at / MS_PER_H for at in found[cause].at] for cause in found] == [[24], [72]]
    assert {trace.span_ms / MS_PER_H for trace in found.values()} == {72 + 36}
    (alone,) = traces(write(log, ("gpu", 'where = { system = "20" }'), horizon=24)).values()
    assert [at / MS_PER_H for at in alone.at] == [0, 24, 72]


@pytest.mark.parametrize("spelt", ["log.csv", "./log.csv", "sub/../log.csv", "link.csv"])
def test_one_file_is_one_record_however_it_is_spelt(write, tmp_path, spelt):
    """Two paths to one file are one record; two files of one name in two folders are two."""
    (tmp_path / "sub").mkdir(exist_ok=True)
    (tmp_path / "link.csv").symlink_to("log.csv")
    path = write(CAUSES, ("gpu", GPU), ("network", NETWORK), horizon=100)
    path.write_text(path.read_text().replace(f'"log.csv", {NETWORK}', f'"{spelt}", {NETWORK}'))
    assert [trace.record for trace in traces(path).values()] == ["log.csv", "log.csv"]
    (tmp_path / "sub" / "log.csv").write_text(CAUSES)
    path.write_text(path.read_text().replace(f'"{spelt}", {NETWORK}', f'"sub/log.csv", {NETWORK}'))
    assert len({trace.record for trace in traces(path).values()}) == 2


def test_a_saved_scenario_keeps_the_shared_clock(write, tmp_path):
    """Written out and read again without the log, it has the same failures."""
    scenario = dcsim.load(write(CAUSES, ("gpu", f'{GPU}, start = "random"'), ("network", NETWORK)))
    (tmp_path / "log.csv").unlink()
    saved = tmp_path / "saved.toml"
    saved.write_text(to_toml(scenario))
    assert dcsim.load(saved) == scenario
    assert failures(dcsim.load(saved), 5) == failures(scenario, 5)


def test_parquet_and_csv_are_one(write, tmp_path):
    """Dates, numbers and names in a parquet file give the traces that the CSV file gives."""
    import datetime

    import pyarrow as pa
    from pyarrow import parquet

    log = "start,repair_h,component,system\n" + "".join(
        f"2024-01-0{day}T00:00,{day},{names},{system}\n"
        for day, names, system in ((1, "n1", 2), (3, '"n2,n3"', 20), (4, "n3", 20))
    )
    table = {
        "start": [datetime.datetime(2024, 1, day) for day in (1, 3, 4)],
        "repair_h": [1, 3, 4],
        "component": ["n1", "n2,n3", "n3"],
        "system": [2.0, 20.0, 20.0],
    }
    parquet.write_table(pa.table(table), tmp_path / "log.parquet")
    cuts = [(name, f'where = {{ system = "{name}" }}') for name in ("2", "20")]
    from_csv = traces(write(log, *cuts, horizon=24))
    path = write(b"", *cuts, horizon=24, file="other.csv")
    path.write_text(path.read_text().replace("other.csv", "log.parquet"))
    from_parquet = {key: trace.model_copy(update={"record": "log.csv"}) for key, trace in traces(path).items()}
    assert from_parquet == from_csv
    assert from_csv["20"].component == (1, 2, 2)


# --- when it began ----------------------------------------------------------------------------------------------------


def test_a_record_may_begin_before_its_first_outage(write):
    """From 20 February 18:00 it is 9 d 6 h to 1 March; the length counts from there too."""
    path = write(CAUSES, ("gpu", f'{GPU}, begin = "2024-02-20T18:00"'), ("network", NETWORK))
    found = traces(path)
    assert [[at / MS_PER_H for at in trace.at] for trace in found.values()] == [
        [222 + 60, 222 + 240],
        [222 + 96, 222 + 192],
    ]
    assert {trace.span_ms / MS_PER_H for trace in found.values()} == {222 + 300}
    assert "begin" not in to_toml(dcsim.load(path))


def test_a_record_may_begin_after_outages_that_it_does_not_take(write):
    """From 2 March the power failure of 1 March lies outside: four outages from 36 to 216 h, a mean gap of 60 h."""
    found = traces(
        write(CAUSES, ("gpu", f'{GPU}, begin = "3/2/2024 0:00", dates = "month first"'), ("network", NETWORK))
    )
    assert [[at / MS_PER_H for at in trace.at] for trace in found.values()] == [[36, 216], [72, 168]]
    assert {trace.span_ms / MS_PER_H for trace in found.values()} == {216 + 60}


def test_hours_of_a_file_may_begin_later(write):
    """Hour 1,000 of the file is the beginning: outages at 1,004 and 1,010 h come at 4 and 10 h."""
    (trace,) = traces(write("start_h\n1004\n1010\n", ("gpu", 'begin = "1000 h"'), horizon=12)).values()
    assert [at / MS_PER_H for at in trace.at] == [4, 10]
    assert trace.span_ms / MS_PER_H == 16


OFFSET = "start\n2024-03-01T00:00Z\n2024-03-02T00:00Z\n"
A_DATE = f"must be a date and time, as the file's starts, {FORMS}"


@pytest.mark.parametrize(
    ("log", "keys", "why"),
    [
        (CAUSES, f'{GPU}, begin = "2024-03-04"', "begin: found '2024-03-04'; must not be after the first outage that it takes, line 3: '2024-03-03T12:00'"),  # noqa: E501
        (CAUSES, 'begin = "1 March"', f"begin: found '1 March'; {A_DATE}"),
        (CAUSES, "begin = 2024-03-01", "begin: found 2024-03-01; must be text, in quotes"),
        (CAUSES, "begin = 3", "begin: found 3; must be text"),
        (CAUSES, f'{GPU}, span = "180 h", begin = "2024-03-01"', "span: found 180 h; must be beyond the last failure at 240 h"),  # noqa: E501
        (OFFSET, 'begin = "2024-02-01"', "begin: found '2024-02-01'; must have a zone, as the file's times"),
        (CAUSES, 'begin = "2024-02-01T00:00+01:00"', "begin: found '2024-02-01T00:00+01:00'; must have no zone, as the file's times"),  # noqa: E501
        ("start_h\n1\n2\n", 'begin = "2024-02-01"', 'begin: found \'2024-02-01\'; must be a duration such as "100 h", because column start_h counts hours'),  # noqa: E501
        ("start_h\n1\n2\n", 'begin = "90 min"', "begin: found '90 min'; must not be after the first outage that it takes, line 2: '1'"),  # noqa: E501
        ("start_h\n1\n2\n", 'record = "mine"', "record: found beside file, which holds it"),
    ],
)  # fmt: skip
def test_a_wrong_beginning_is_one_line(write, log, keys, why):
    """It stands at the key, with what was found and what is allowed."""
    assert errors(write(log, ("gpu", keys), horizon=24)) == [f"10: hazards.gpu.mtbf.{why}"]


def test_begin_needs_a_file(write):
    """Times that stand in the scenario count from the record's beginning already."""
    path = write(CAUSES, ("gpu", ""))
    path.write_text(path.read_text().replace('file = "log.csv"', 'at = ["1 h", "500 h"], begin = "2024-01-01"'))
    assert errors(path) == ["10: hazards.gpu.mtbf.begin: found without file; at counts from the record's beginning"]


# --- what does not agree ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ('begin = "2024-02-01"', 'begin = "2024-02-02"', "begin: found '2024-02-02'; another trace of this file has '2024-02-01', and they share one clock"),  # noqa: E501
        ('span = "744 h"', 'span = "800 h"', 'span: found 800 h; hazard "gpu" has 744 h, and traces of record "log.csv" share one clock'),  # noqa: E501
        ('start = "random"', 'start = "fixed"', 'start: found "fixed"; hazard "gpu" has "random", and traces of record "log.csv" share one clock'),  # noqa: E501
        ("repeat = true", "repeat = false", 'repeat: found false; hazard "gpu" has true, and traces of record "log.csv" share one clock'),  # noqa: E501
    ],
)  # fmt: skip
def test_traces_of_one_record_must_agree_on_its_clock(write, first, second, why):
    """What is said twice must be said alike; the line is that of the second."""
    path = write(CAUSES, ("gpu", f"{GPU}, {first}"), ("network", f"{NETWORK}, {second}"))
    assert errors(path) == [f"14: hazards.network.mtbf.{why}"]


def test_what_is_wrong_with_one_cut_is_said_of_that_cut(write, tmp_path):
    """The other cuts of the file are right; a file that is wrong is wrong for all."""
    path = write(CAUSES, ("gpu", GPU), ("network", 'where = { cause = "netwrk" }'))
    assert errors(path) == ["14: hazards.network.mtbf.file: 'log.csv' holds no outage that meets the conditions"]
    (tmp_path / "log.csv").unlink()
    wrong = "mtbf.file: 'log.csv' cannot be read: No such file or directory"
    assert errors(path) == [f"10: hazards.gpu.{wrong}", f"14: hazards.network.{wrong}"]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ('begin = "1 March"', f"begin: found '1 March'; {A_DATE}"),
        ("begin = 3", "begin: found 3; must be text"),
        ('span = "744"', "span: found '744'; allowed: a duration above zero"),
        ("repeat = 1", "repeat: found 1; must be true or false"),
        ('start = "rndom"', "start: found 'rndom'; allowed: fixed, random"),
    ],
)
def test_a_mistake_in_what_holds_for_all_is_said_once(write, key, why):
    """It stands where it was made, not at the cuts that would take it over."""
    (found,) = errors(write(CAUSES, ("gpu", f"{GPU}, {key}"), ("network", NETWORK), horizon=100))
    assert found.startswith(f"10: hazards.gpu.mtbf.{why}")


def test_an_outage_before_the_beginning_that_another_cut_says(write):
    """The gpu's begin holds for the power failure too, which came a day earlier."""
    path = write(CAUSES, ("gpu", f'{GPU}, begin = "2024-03-02"'), ("power", 'where = { cause = "power" }'))
    (found,) = errors(path)
    earlier = "must not be after the first outage that it takes, line 2: '2024-03-01T00:00'"
    assert found == f"14: hazards.power.mtbf.begin: found '2024-03-02'; {earlier}"


def test_errors_name_the_file_as_it_is_written(write):
    """With its folder, as in the scenario."""
    path = write("start_h\nx\ny\n", ("gpu", ""), file="sub/log.csv")
    (found,) = errors(path)
    assert found.startswith("10: hazards.gpu.mtbf.file: 'sub/log.csv' holds no outage; 2 lines: no moment or time")
    assert found.endswith("(first line 2: found 'x')")


def test_records_named_in_the_scenario_share_their_clock(write):
    """Times in the scenario itself are cut from one record if they name it: one beginning in every replication."""
    path = write(CAUSES, ("gpu", ""), ("network", ""), horizon=100)
    keys = 'record = "mine", span = "100 h", start = "random", repeat = true, at = '
    first, second, rest = path.read_text().split('file = "log.csv"')
    path.write_text(f'{first}{keys}["20 h"]{second}{keys}["50 h"]{rest}')
    scenario = dcsim.load(path)
    for replication in range(20):
        found = [at for each in failures(scenario, replication).values() for at, _ in each]
        assert round(found[1] - found[0], 6) in (30, -70)


# --- every form of file -----------------------------------------------------------------------------------------------

FORMS_OF_FILES = {
    "commas": (
        "log.csv",
        "start,end,component\n2024-01-30T00:00,2024-01-30T04:00,a\n2024-02-03T00:00,2024-02-03T01:00,b\n",
    ),
    "semicolons": (
        "log.csv",
        "start;end;node\n2024-01-30T00:00;2024-01-30T04:00;a\n2024-02-03T00:00;2024-02-03T01:00;b\n",
    ),
    "tabs": (
        "log.tsv",
        "Start\tEnd\tNode\n2024-01-30 00:00\t2024-01-30 04:00\ta\n2024-02-03 00:00\t2024-02-03 01:00\tb\n",
    ),
    "pipes": ("log.txt", "start|repair_min|node|\n2024-01-30T00:00|240|a|\n2024-02-03T00:00|60|b|\n"),
    "blanks": ("log.txt", "hour  repair_h  node\n0     4         a\n96    1         b\n"),
    "UTC": (
        "log.csv",
        "start,end,node\n2024-01-30 00:00:00 UTC,2024-01-30 04:00:00 UTC,a\n"
        "2024-02-03 00:00:00 UTC,2024-02-03 01:00:00 UTC,b\n",
    ),
    "epochs": ("log.csv", "start,end,node\n1706572800,1706587200,a\n1706918400,1706922000,b\n"),
    "milliseconds": ("log.csv", "start,end,node\n1706572800000,1706587200000,a\n1706918400000,1706922000000,b\n"),
    "twelve hours": (
        "log.csv",
        "start,end,node\n1/30/2024 12:00 AM,1/30/2024 4:00 AM,a\n2/3/2024 12:00 AM,2/3/2024 1:00 AM,b\n",
    ),
    "day first": ("log.csv", "start,end,node\n30.1.2024 00:00,30.1.2024 04:00,a\n3.2.2024 00:00,3.2.2024 01:00,b\n"),
    "JSON lines": (
        "log.jsonl",
        '{"start": "2024-01-30T00:00", "end": "2024-01-30T04:00", "node": "a"}\n'
        '{"start": "2024-02-03T00:00", "end": "2024-02-03T01:00", "node": "b"}\n',
    ),
}


@pytest.mark.parametrize("form", FORMS_OF_FILES)
def test_every_form_of_a_file_gives_the_same_trace(write, form):
    """Two outages of 4 h and 1 h, four days apart, whatever stands between the cells and however times are written."""
    name, text = FORMS_OF_FILES[form]
    (trace,) = traces(write(text, ("node", 'span = "800 h"'), file=name)).values()
    assert (trace.at, trace.repair, trace.component) == ((0, 96 * MS_PER_H), (4 * MS_PER_H, MS_PER_H), (0, 1))
    assert trace.notes is None


def test_a_record_says_how_its_file_was_read(write):
    """What was found out of a file is told, once for all its traces."""
    scenario = dcsim.load(write(CAUSES.replace(",", ";"), ("gpu", GPU), ("network", NETWORK)))
    assert records_told(scenario) == [
        "log.csv: 4 columns between semicolons; start from start, end from end, component from component, "
        "kind from cause"
    ]


def test_dates_of_two_readings_are_asked(write):
    """5 January or 1 May: the error says what to write, and with it the file is read, by all traces of it."""
    log = "start,end,node,cause\n1/1/2024 3:04 PM,1/1/2024 5:04 PM,a,gpu\n1/5/2024 3:04 PM,1/5/2024 5:04 PM,b,fan\n"
    path = write(log, ("gpu", 'where = { cause = "gpu" }, span = "9000 h"'), ("fan", 'where = { cause = "fan" }'))
    found = errors(path)
    assert len(found) == 2
    assert found[0].endswith('say which: dates = "month first" or "day first"')
    for order, hours in (("month first", 96), ("day first", 121 * 24)):
        said = path.read_text().replace('span = "9000 h"', f'span = "9000 h", dates = "{order}"')
        path.with_name("said.toml").write_text(said)
        assert [at / MS_PER_H for at in traces(path.with_name("said.toml"))["fan"].at] == [hours]


@pytest.mark.parametrize(
    ("where", "hours"),
    [
        ('{ cause = "gpu, fan" }', [0, 1, 3]),
        ('{ cause = ["gpu", "fan"] }', [0, 1, 3]),
        ('{ cause = ["psu, left"] }', [4]),
        ('{ cause = "!= gpu" }', [1, 2, 4]),
        ('{ slot = "2..4" }', [1, 2, 3]),
        ('{ slot = ">= 4", cause = "gpu" }', [3]),
        ('{ cause = "psu, left" }', [2, 4]),
    ],
)
def test_conditions_take_lists_ranges_and_what_is_unlike(write, where, hours):
    """As with a single value; a text that has a comma itself is found too."""
    log = 'start_h,cause,slot\n0,gpu,1\n1,fan,2\n2,psu,3\n3,gpu,4\n4,"psu, left",5\n'
    (trace,) = traces(write(log, ("node", f'where = {where}, span = "100 h"'), horizon=50)).values()
    assert [at / MS_PER_H for at in trace.at] == hours


def test_a_component_of_several_columns(write):
    """Rack and slot together name it, in natural order."""
    log = "start_h,rack,slot\n0,r1,10\n1,r1,2\n2,r1,10\n"
    (trace,) = traces(
        write(log, ("node", 'columns = { start_h = "start_h", component = "rack+slot" }'), horizon=2)
    ).values()
    assert trace.component == (1, 0, 1)
