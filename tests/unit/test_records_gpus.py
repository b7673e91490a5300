"""Kernel logs and DCGM's exports give the incidents that were counted by hand, in the classes of NVIDIA's catalogue."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from dcsim.records import RecordError
from dcsim.records.forms import read
from dcsim.records.gathered import noticed_by_jobs
from dcsim.records.gpus import CLASSES, address, catalogue, class_of
from tests.field import writers
from tests.field.writers import Outage, Run
from tests.unit.test_records_slurm import FIELD, listed, outages_of


def test_xids_of_a_syslog_without_years() -> None:
    """79, 74 and 45 of gpu1 are one incident; 48, 63 and 13 of gpu2 are three, and 63 stops nothing."""
    found = read(FIELD / "syslog", year=2024)
    outages = outages_of(found)
    assert found.form == "kernel"
    assert listed(outages) == [
        (25.966667, None, "gpu1", "reboot node"),
        (29, None, "gpu2", "reset GPU"),
        (31, None, "gpu2", "application"),
    ]
    assert outages.begin == 1703973600  # 2023-12-30 22:00
    assert outages.span_h == 72
    assert outages.units == 3
    assert not outages.ends_told
    told = " ".join(found.told)
    assert "6 errors in 4 incidents" in told
    assert "gpu2/0000:5e:00" in told
    assert "the last line of each file is of 2024" in told
    assert sorted(found.broken.counts) == ["an Xid of another form", "begins with no time", "no such time"]


def test_years_of_a_log_that_has_none(tmp_path: Path) -> None:
    """The last line is of 2024; lines of two hosts change places around New Year; February 29 of 2023 is no day."""
    xid = "kernel: NVRM: Xid (PCI:0000:3b:00): 79, lost"
    days = ["Nov 30 00:00:00 a", "Dec 31 23:59:59 b", "Jan  1 00:00:01 a", "Dec 31 23:59:59 c", "Feb 29 00:00:00 d"]
    path = tmp_path / "log"
    path.write_text("".join(f"{day} {xid}\n" for day in days))
    found = listed(outages_of(read(path, year=2024)))
    new_year = 32 * 24
    assert [each[0] for each in found] == [0, round(new_year - 1 / 3600, 6), round(new_year - 1 / 3600, 6), *(
        round(hours, 6) for hours in (new_year + 1 / 3600, new_year + 59 * 24)
    )]  # fmt: skip
    assert [each[2] for each in found] == ["a", "b", "c", "a", "d"]
    assert read(path, year=2023).broken.counts == {"no such time": 1}


def test_times_with_and_without_a_zone_are_not_mixed(tmp_path: Path) -> None:
    xid = "kernel: NVRM: Xid (PCI:0000:3b:00): 79, lost\n"
    path = tmp_path / "log"
    path.write_text(f"2024-01-30T10:00:00Z a {xid}2024-01-30T11:00:00 b {xid}2024-01-30T12:00:00+01:00 c {xid}")
    found = read(path)
    assert [each[:3:2] for each in listed(outages_of(found))] == [(0, "a"), (1, "c")]
    assert found.broken.counts == {"a time with a zone among others without, or the reverse": 1}
    assert not any("zone" in each for each in found.told)


def test_a_log_without_years_needs_one() -> None:
    with pytest.raises(RecordError, match="say the year of its last line: year = 2024"):
        read(FIELD / "syslog")


def test_incidents_end_when_errors_stay_apart() -> None:
    """Within 100 s, 45 comes 178 s after 74 and is an incident of its own."""
    kinds = [each[3] for each in listed(outages_of(read(FIELD / "syslog", year=2024, incident_s=100)))]
    assert kinds == ["reboot node", "application", "reset GPU", "application"]


def test_iso_times_recovery_actions_and_switches() -> None:
    """Xid 154 names the action; a fatal SXid counts, a non-fatal one does not; 94 ends an application."""
    found = read(FIELD / "journal-short-iso.txt")
    assert listed(outages_of(found)) == [
        (1, None, "gpu1", "reboot node"),
        (3, None, "gpu2", "switch"),
        (4, None, "gpu2", "application"),
    ]
    assert outages_of(found).begin == 1706605200  # 10:00 at +01:00
    assert found.broken.total == 1  # the line that journalctl begins with


def test_a_journal_as_json() -> None:
    found = read(FIELD / "journal.jsonl")
    assert listed(outages_of(found)) == [(1, None, "gpu1", "reset GPU")]
    assert outages_of(found).span_h == 2
    assert outages_of(found).units == 2
    assert found.broken.total == 1


def test_dmesg_is_of_the_host_that_its_file_names(tmp_path: Path) -> None:
    found = read(FIELD / "dmesg-gpu7.txt")
    assert listed(outages_of(found)) == [(1.5, None, "dmesg-gpu7", "reset GPU")]
    path = tmp_path / "gpu8.log"
    path.write_text("[ 12.5] NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.\n")
    with pytest.raises(RecordError, match="use dmesg -T"):
        read(path, "kernel")


def test_packed_logs_of_several_hosts(tmp_path: Path) -> None:
    line = "2024-01-30T1{hour}:00:00+00:00 {host} kernel: NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=x, lost\n"
    with gzip.open(tmp_path / "a.gz", "wt") as file:
        file.write(line.format(hour=0, host="a"))
    (tmp_path / "b").write_text(line.format(hour=2, host="b"))
    found = read([tmp_path / "b", tmp_path / "a.gz"])
    assert listed(outages_of(found)) == [(0, None, "a", "reboot node"), (2, None, "b", "reboot node")]
    (tmp_path / "c.gz").write_bytes((tmp_path / "a.gz").read_bytes()[:-12])
    with pytest.raises(RecordError, match="damaged"):
        read(tmp_path / "c.gz")


def test_a_log_without_an_xid_has_no_outage(tmp_path: Path) -> None:
    writers.kernel(tmp_path / "log", [], ["a", "b"], 100)
    outages = outages_of(read(tmp_path / "log"))
    assert len(outages) == 0
    assert (outages.units, outages.span_h) == (2, 100)


def test_what_was_written_as_a_kernel_log_is_read_again(tmp_path: Path) -> None:
    known = [Outage(1, None, "b", "application"), Outage(7, None, "a", "replace"), Outage(9, None, "a", "reboot node")]
    writers.kernel(tmp_path / "log", known, ["a", "b"], 100)
    outages = outages_of(read(tmp_path / "log"))
    assert listed(outages) == [(each.start, None, each.component, each.kind) for each in known]


def test_an_xid_is_noticed_when_a_job_on_the_host_fails(tmp_path: Path) -> None:
    """The job on b ended before its Xid, and that on c with no failure; d's comes too late."""
    known = [Outage(10, None, f"{host}.site", "reboot node") for host in "abcd"]
    writers.kernel(tmp_path / "log", known, ["a.site"], 100)
    writers.sacct(
        tmp_path / "jobs",
        [
            Run(1, 10.125, ["a", "x"], state="NODE_FAIL"),
            Run(10.2, 10.5, ["a"], state="FAILED"),
            Run(1, 9, ["b"], state="FAILED"),
            Run(1, 10.25, ["c"], state="COMPLETED"),
            Run(1, 12, ["d"], state="FAILED"),
        ],
    )
    runs = read(tmp_path / "jobs").runs
    assert runs is not None
    found = noticed_by_jobs(outages_of(read(tmp_path / "log")), runs)
    assert found.noticed_h is not None
    assert np.array_equal(found.noticed_h, [10.125, np.nan, np.nan, np.nan], equal_nan=True)
    assert found.told[-1].endswith("within 1 h: 1 of 4")


def test_the_catalogue() -> None:
    """What the published catalogue asks for, for codes that we looked up by hand."""
    asked = {13: "application", 31: "application", 48: "reset GPU", 63: "none", 64: "reset GPU", 79: "reboot node"}
    asked |= {94: "application", 95: "reset GPU", 119: "reset GPU", 43: "application", 151: "reboot node"}
    assert {code: CLASSES[class_of(code)] for code in asked} == asked
    assert catalogue()[79][0] == "ROBUST_CHANNEL_GPU_HAS_FALLEN_OFF_THE_BUS"
    assert CLASSES[class_of(9_999)] == "unclassified"
    assert CLASSES[class_of(154, ", GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)")] == "none"


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("0000:3b:00", "0000:3b:00"),
        ("3B:00", "0000:3b:00"),
        ("00000000:3B:00.0", "0000:3b:00"),
        ("0002:00:00", "0002:00:00"),
    ],
)
def test_addresses_are_one_however_they_are_written(written: str, same: str) -> None:
    assert address(written) == same


# --- DCGM ---------------------------------------------------------------------------------------------------------


def test_samples_of_dcgm_exporter() -> None:
    """GPU 0: Xid 48 and two double-bit errors by 11:00 are one incident; GPU 1 had Xid 31 before, and 79 by 12:00."""
    found = read(FIELD / "dcgm.prom")
    outages = outages_of(found)
    assert found.form == "dcgm"
    assert listed(outages) == [(1, None, "n1/0", "reset GPU"), (2, None, "n1/1", "reboot node")]
    assert outages.units == 2
    assert outages.span_h == 2
    assert found.broken.total == 1
    assert "GPUs that had an Xid before the first sample, which is left out: 1" in " ".join(found.told)


def test_answers_of_prometheus() -> None:
    found = read(FIELD / "dcgm-query-range.json")
    assert listed(outages_of(found)) == [(round(3600.5 / 3600, 6), None, "n1/0", "reboot node")]
    assert outages_of(found).units == 2
    assert found.broken.counts == {"not a series of Prometheus with the label gpu": 1}


def test_a_table_of_samples() -> None:
    found = read(FIELD / "dcgm.csv")
    assert listed(outages_of(found)) == [(1, None, "n1/0", "reboot node"), (2, None, "n1/1", "application")]
    assert found.broken.total == 1


def test_a_dump_of_prometheus(tmp_path: Path) -> None:
    line = '{{__name__="DCGM_FI_DEV_XID_ERRORS", Hostname="n1", gpu="{gpu}"}} {value} {time}\n'
    rows = [(0, 0, 1706608800000), (0, 119, 1706612400000), (1, 0, 1706608800000), (1, 0, 1706612400000)]
    text = "".join(line.format(gpu=gpu, value=value, time=time) for gpu, value, time in rows)
    (tmp_path / "dump").write_text(text)
    found = read(tmp_path / "dump")
    assert found.form == "dcgm"
    assert listed(outages_of(found)) == [(1, None, "n1/0", "reset GPU")]


def test_counters_that_begin_anew(tmp_path: Path) -> None:
    """0, 1, 1, 0, 1, 3, 2: errors at 1, 4 and 5 h; at 6 h the counter is less, so it began anew and counted 2."""
    rows = [f"2024-01-30T{hour:02}:00,n1,0,{count}" for hour, count in enumerate((0, 1, 1, 0, 1, 3, 2))]
    (tmp_path / "a.csv").write_text("time,host,gpu,DCGM_FI_DEV_ECC_DBE_VOL_TOTAL\n" + "\n".join(rows) + "\n")
    found = listed(outages_of(read(tmp_path / "a.csv")))
    assert [each[0] for each in found] == [1, 4, 5, 6]
    assert {each[3] for each in found} == {"reset GPU"}


def test_scrapes_below_seconds_since_1970(tmp_path: Path) -> None:
    sample = 'DCGM_FI_DEV_XID_ERRORS{gpu="0",Hostname="n1"}'
    (tmp_path / "scrapes").write_text(f"1706608800\n{sample} 0\n1706612400\n{sample} 79\n")
    found = read(tmp_path / "scrapes")
    assert listed(outages_of(found)) == [(1, None, "n1/0", "reboot node")]
    assert not any("zone" in each for each in found.told)


def test_one_scrape_without_a_time_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "scrape").write_text('DCGM_FI_DEV_XID_ERRORS{gpu="0",Hostname="n1"} 79\n')
    with pytest.raises(RecordError, match="with a time"):
        read(tmp_path / "scrape")
