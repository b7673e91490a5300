"""Lines of a log that a trace cannot use, outages that had not ended, and rows that name several components."""

import pytest

import dcsim
from dcsim.engine import simulate
from dcsim.scenario import to_toml
from dcsim.scenario.record_cautions import record_cautions
from dcsim.units import MS_PER_H
from tests.unit.logged_scenarios import CAUSES, GPU, NETWORK, errors, failures, traces, writer


@pytest.fixture
def write(tmp_path):
    """What writes a log and a scenario of its traces."""
    return writer(tmp_path)


# --- what is broken, and what is still open ---------------------------------------------------------------------------


def test_broken_lines_are_counted_and_said(write):
    """Of nine lines four are no outages. The others are replayed, and both hazards' caution is one."""
    broken = "unknown,,n1,power\n2024-03-12,2024-03-11,n1,gpu\n2024-03-12,n1\n2024-03-12,,,gpu\n"
    scenario = dcsim.load(write(CAUSES + broken, ("gpu", GPU), ("network", NETWORK)))
    assert failures(scenario)["gpu"] == [(60, 1)]
    said = [each for each in record_cautions(scenario) if "broken" in each]
    assert len(said) == 1
    assert said[0].startswith("log.csv: 4 of 9 lines are broken and left out: 1 line: ")
    assert "1 line: no beginning (line 7)" in said[0]
    assert "1 line: ends before it starts (line 8)" in said[0]


def test_a_caution_survives_the_file(write, tmp_path):
    """Written out and read again without the log, the scenario still says what was left out of it."""
    scenario = dcsim.load(write(CAUSES + "x\n", ("gpu", "")))
    (tmp_path / "log.csv").unlink()
    (tmp_path / "saved.toml").write_text(to_toml(scenario))
    assert record_cautions(dcsim.load(tmp_path / "saved.toml")) == record_cautions(scenario)
    assert any("1 of 6 lines is broken" in each for each in record_cautions(scenario))


@pytest.mark.parametrize("still", ["", "Unknown", "null"])
@pytest.mark.parametrize("keys", ['span = "120 h"', 'begin = "2024-03-01"'])
def test_an_outage_that_had_not_ended_lasts_to_the_end_of_the_record(write, still, keys):
    """Said or told by the file, the record is of 120 h: the outage at 72 h lasts 48 h at least."""
    log = "start,end,node\n2024-03-01,2024-03-01T04:00,a\n2024-03-02T12:00,2024-03-02T13:00,a\n2024-03-04,STILL,b\n"
    keys = keys if "span" in keys else "repeat = true"
    scenario = dcsim.load(write(log.replace("STILL", still), ("gpu", keys), horizon=100))
    (trace,) = (hazard.lifetime for hazard in scenario.hazards)
    end = 120 if "span" in keys else 72 + 36
    assert [each / MS_PER_H for each in trace.repair] == [4, 1, end - 72]
    assert "log.csv: 1 of 3 outages had not ended: its repair lasts to the end" in "".join(record_cautions(scenario))


def test_too_few_rows_because_of_broken_ones_are_said_so(write):
    """One row has no gap; the error says that the other one was broken."""
    (found,) = errors(write("start_h\n1\nx\n", ("gpu", "")))
    assert found.startswith("10: hazards.gpu.mtbf.span: missing; required (failures at one instant")
    assert "log.csv: 1 of 2 lines is broken and left out" in found


# --- hostlists --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("n1", ["n1"]),
        ("n[001-004]", ["n001", "n002", "n003", "n004"]),
        ("a,b", ["a", "b"]),
        ("a, b", ["a", "b"]),
        ("x[1-2],y3", ["x1", "x2", "y3"]),
        ("n[1,3,9-11]", ["n1", "n3", "n9", "n10", "n11"]),
        ("r[0-1]n[0-1]", ["r0n0", "r0n1", "r1n0", "r1n1"]),
        ("n[8-10].hall2", ["n8.hall2", "n9.hall2", "n10.hall2"]),
        ("b,a,b", ["a", "b"]),
        ("rack 3 (hall 2)", ["rack 3 (hall 2)"]),
    ],
)
def test_each_name_of_a_hostlist_fails(write, cell, names):
    """Every form that Slurm writes: each unit fails at the row's time and takes the row's repair."""
    numbers = {name: number for number, name in enumerate(names)}
    last = f"50,1,{names[-1]}\n"
    (trace,) = traces(write(f'start_h,repair_h,component\n5,2,"{cell}"\n{last}', ("n", 'span = "300 h"'))).values()
    assert trace.component == (*numbers.values(), numbers[names[-1]])
    assert [at / MS_PER_H for at in trace.at] == [5] * len(names) + [50]
    assert [each / MS_PER_H for each in trace.repair] == [2] * len(names) + [1]


def test_numbers_in_a_cell_are_components(write):
    """A cell of numbers names components by number."""
    (trace,) = traces(write('start_h,component\n5,"3,5"\n9,"[6-7]"\n', ("n", ""), horizon=10)).values()
    assert trace.component == (3, 5, 6, 7)


@pytest.mark.parametrize(
    "cell", ["n[1-", "n[3-1]", "n[1-3/2]", "@all,n1", "rack 3, node 5", "n[1-10000]", "n[1-99999999999999999999]"]
)
def test_a_hostlist_that_cannot_be_read_is_a_broken_line(write, cell):
    """It is said with its line; nothing is expanded first."""
    path = write(f'start_h,component\n1,n1\n5,"{cell}"\n', ("n", 'span = "100 h"'), horizon=10)
    (trace,) = traces(path).values()
    assert len(trace.at) == 1
    assert "names no component; allowed: a name, or a hostlist like tux" in trace.notes[0]
    assert f"(line 3: found '{cell}')" in trace.notes[0]


def test_both_nodes_of_a_row_are_repaired(write):
    """x1 and x2 fail at hour 0, x1 again at hour 96: three failures, and 3 x 4 h x 8 GPUs in repair."""
    log = 'start,end,component\n2024-01-01T00:00,2024-01-01T04:00,"x[1-2]"\n2024-01-05T00:00,2024-01-05T04:00,x1\n'
    accounts = simulate(dcsim.load(write(log, ("n", 'repeat = true, span = "800 h"'), horizon=720)), 0)
    assert accounts.failures == 3
    assert accounts.gpu_ms.sum(axis=0)[list(dcsim.ledger.STATES).index("repair")] == 3 * 4 * 8 * MS_PER_H
