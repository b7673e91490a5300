"""Maintenance, in-rack spares, work to finish, and rules between hazards and jobs: what is allowed, what is told."""

import math

import pytest

from dcsim.scenario import load, to_toml
from dcsim.units import MS_PER_H

VALID = """
name = "planned"
horizon = "36 mo"
[cluster]
topology = "gb300-nvl72"                # racks of 72 GPUs, 72 racks
gpus = 5184
[[jobs]]
name = "a"
gpus = 4608
work = "2.1e6 GPU-h"
[jobs.recovery]
kind = "tiered-checkpoint"
tiers = [
  { name = "memory", every = "1 min", restore = "30 s", survives = 64 },
  { name = "storage", every = "60 min", write = "1 min", restore = "10 min" },
]
[[jobs]]
name = "b"
gpus = 72
count = 2
recovery = { kind = "elastic", group = 8, checkpoint_every = "1 h" }
[[hazards]]
name = "gpu"
component = "gpu"
mtbf = "25000 h"
[[hazards.repair]]
name = "reboot"
time = "10 min"
success = "70 %"
[[hazards.repair]]
name = "technician"
time = "4 h"
crews = 2
[[maintenance]]
name = "firmware"
component = "tray"
every = "90 d"
duration = "2 h"
drain = "10 min"
[[maintenance]]
name = "busbar"
component = "rack"
every = "1 y"
first = "0 s"
duration = "8 h"
rolling = false
"""
TRACE = '{kind="trace", at=["1 h", "3 h"], span="%s", repeat=%s}'


def test_planned_work_is_read(scenario):
    """Work becomes GPU-ms; a tray is a node; the first window opens after one 'every' unless it says when."""
    loaded = scenario()
    assert [job.work for job in loaded.jobs] == [2_100_000 * MS_PER_H, None]
    firmware, busbar = loaded.maintenance
    assert (firmware.component, firmware.start, firmware.drain) == ("node", 90 * 24 * MS_PER_H, MS_PER_H // 6)
    assert (busbar.start, busbar.rolling, firmware.rolling, busbar.drain) == (0, False, True, 0)
    assert loaded.cluster.in_rack_spares == 0


@pytest.mark.parametrize(
    ("written", "gpus"), [("2 %", 104), ("0 %", 0), ("7 %", 364), ("0.001 %", 4), ("50", None), ("101 %", None)]
)
def test_spares_may_be_a_share_of_all_gpus(scenario, broken, written, gpus):
    """The share of 5,184 GPUs is rounded up to whole trays of 4: 103.68 to 104, 362.88 to 364."""
    changes = f"cluster.spares='{written}'", "jobs.a.gpus=4608"
    if gpus is not None:
        loaded = scenario(*changes)
        assert loaded.cluster.spares == gpus
        assert f"spares = {gpus}\n" in to_toml(loaded)
    else:
        (told,) = broken(*changes)
        assert told.startswith(f"cluster.spares: found '{written}'; ")
        assert told.endswith("; or a whole number of GPUs, without quotes")


def test_a_share_of_spares_is_exact_and_follows_the_cluster(scenario, broken):
    """7 % of 800 GPUs are 56, though 0.07 x 800 is more than that in floating point."""
    half = "jobs.a.gpus=288", "cluster.gpus=800", "cluster.spares='7 %'"
    assert 0.07 * 800 > 56
    assert scenario(*half).cluster.spares == 56
    assert broken("cluster.spares='7 %'", "cluster.gpus=x") == ["cluster.gpus: found 'x'; must be a whole number"]


def test_planned_work_can_be_saved_and_loaded(scenario, tmp_path):
    """What `to_toml` writes is the same scenario, tiers, stages, work and maintenance included."""
    loaded = scenario("cluster.in_rack_spares=2")
    path = tmp_path / "resolved.toml"
    path.write_text(to_toml(loaded))
    assert load(path) == loaded


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("maintenance.firmware.every=30 d", lambda s: s.maintenance[0].every == 720 * MS_PER_H),
        ("maintenance.1.drain=1 h", lambda s: s.maintenance[1].drain == MS_PER_H),
        ("maintenance.busbar.rolling=true", lambda s: s.maintenance[1].rolling),
        ("hazards.gpu.repair.technician.crews=3", lambda s: s.hazards[0].stages[1].crews == 3),
        ("hazards.gpu.repair.reboot.success=50 %", lambda s: s.hazards[0].stages[0].success == 0.5),
        ("jobs.a.recovery.tiers.storage.every=2 h", lambda s: s.jobs[0].recovery.tiers[1].every == 2 * MS_PER_H),
        ("jobs.b.work=1 GPU-y", lambda s: s.jobs[1].work == 8760 * MS_PER_H),
        ("cluster.in_rack_spares=3", lambda s: s.cluster.in_rack_spares == 3),
    ],
)
def test_set_reaches_entries_by_name(scenario, change, read):
    """Maintenance, stages of repair and tiers go by their names, as jobs and hazards do."""
    assert not read(scenario())
    assert read(scenario(change))


@pytest.mark.parametrize(
    "changes",
    [
        ("jobs.a.work=1e11 GPU-h",),  # more than the horizon can do: it never finishes
        ("maintenance.busbar.every=8.501 h", "maintenance.busbar.drain=30 min"),  # 8 h + 30 min of it it is out
        ("maintenance.busbar.first=40 mo",),
        ("cluster.in_rack_spares=6", "jobs.b.gpus=64"),  # 4608 + 2 x 64 <= 5184 - 6 x 72 = 4752
        ("cluster.in_rack_spares=1", "cluster.spares=72"),
        ("hazards.gpu.effect=corrupt",),
        ("hazards.gpu.effect=corrupt", 'jobs.b.recovery={kind="stateless"}'),
        ("jobs.b.recovery.coverage=90 %",),
        ("hazards.gpu.mtbf=" + TRACE % ("36 mo", "false"),),
        ("hazards.gpu.mtbf=" + TRACE % ("4 h", "true"),),
        ('hazards.gpu.burst={size=4, within="36 mo"}',),
        ('hazards.gpu.mtbf={kind="weibull", mean="100 h", shape=5}', "hazards.gpu.repair.technician.silent=90 %"),
        ('hazards.gpu.repair={time="1 h", silent="100 %"}',),  # memoryless: as good as new all the same
    ],
)
def test_what_is_just_allowed(scenario, changes):
    """Each rule lets its limit pass."""
    assert scenario(*changes).name == "planned"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            ("maintenance.busbar.every=8.5 h", "maintenance.busbar.drain=30 min"),
            "maintenance.busbar.duration: found drain + duration = 510 min; must be below every = 510 min",
        ),
        (
            ("maintenance.firmware.name=busbar",),
            'maintenance.1.name: found "busbar", the name of maintenance.0 too; names must be unique',
        ),
        (
            ("maintenance.firmware.component=trey",),
            "maintenance.firmware.component: found 'trey'; allowed: gpu, node, tray, rack, access-link, nvlink-switch, "
            "shelf, psu, leaf, leaf-uplink, spine, spine-uplink, core, cdu, busway, feed, generator, site-feed, gateway"
            '; did you mean "tray"?',
        ),
        (
            ("maintenance.firmware.evry=1 d",),
            "maintenance.firmware.evry: unknown key; allowed: name, component, every, first, duration, drain, rolling, "
            'finds, false_alarms, retest; did you mean "every"?',
        ),
        (
            ("maintenance.firmwar.every=1 d",),
            "maintenance: found 'firmwar'; allowed: firmware, busbar, 0 to 1; did you mean \"firmware\"?",
        ),
        (
            ("jobs.a.recovery.tiers.storag.every=1 h",),
            "jobs.a.recovery.tiers: found 'storag'; allowed: memory, storage, 0 to 1; did you mean \"storage\"?",
        ),
        (
            ("jobs.a.work=2.1e6 h",),
            "jobs.a.work: found '2.1e6 h'; allowed: an amount of work above zero as text with a unit such as "
            '"2.1e6 GPU-h" (GPU-s, GPU-h, GPU-d, GPU-y)',
        ),
        (("maintenance.firmware.rolling=1",), "maintenance.firmware.rolling: found 1; must be true or false"),
        (
            ("maintenance.firmware.every=9 s", "maintenance.firmware.duration=1 s", "maintenance.firmware.drain=0 s"),
            f"maintenance: found {1296 * 36 * 720 * 3600 / 9 + 72 * 36 * 720 / 8760:,.0f} windows in one replication "
            "(components x horizon / every); at most 5,000,000",
        ),
        (("cluster.in_rack_spares=72",), "cluster.in_rack_spares: found 72; must be below the 72 GPUs of a rack"),
        (
            ("cluster.in_rack_spares=1", "cluster.gpus=5188"),
            "cluster.gpus: found 5188; must be whole racks of 72 GPUs (in_rack_spares is given)",
        ),
        (
            ("cluster.in_rack_spares=2", "cluster.spares=72"),
            "cluster.spares: found 72; leave out, or 144 = 2 in_rack_spares x 72 racks",
        ),
        (
            ("cluster.in_rack_spares=7",),
            f"jobs: found {4608 + 144} GPUs in jobs; at most {5184 - 7 * 72} = 5184 - 7 in_rack_spares x 72 racks",
        ),
        (
            ("cluster.in_rack_spares=7", "cluster.spares=504"),
            "jobs: found 5256 GPUs = 4608 x 1 + 72 x 2 in jobs + 504 spares; at most 5184 (cluster.gpus)",
        ),
        (
            ("cluster.in_rack_spares=7", "jobs.a.gpus=5184"),
            "jobs: found 5328 GPUs = 5184 x 1 + 72 x 2 in jobs + 0 spares; at most 5184 (cluster.gpus)",
        ),
        (
            ("cluster.in_rack_spares=1", "jobs.b.submit=1 h"),
            "jobs.b.submit: found 1 h; must be 0 s (in_rack_spares is given: jobs are placed in racks from the start)",
        ),
        (
            ("cluster.in_rack_spares=1", "jobs.b.priority=2"),
            "jobs.b.priority: found 2; must be 0 for all jobs (in_rack_spares is given: no pre-emption)",
        ),
        (
            ("hazards.gpu.effect=corrupt", 'jobs.b.recovery={kind="fault-tolerant"}'),
            'jobs.b.recovery.checkpoint_every: missing; required (hazard "gpu" corrupts results: the job rolls back '
            "to a checkpoint)",
        ),
        (
            ('jobs.b.recovery={kind="fault-tolerant", coverage="90 %"}',),
            "jobs.b.recovery.checkpoint_every: missing; required (what is not covered falls back to the last "
            "checkpoint)",
        ),
        (
            ('jobs.b.recovery={kind="checkpoint-restart", checkpoint_every="daly"}',),
            'jobs.b.recovery.checkpoint_write: missing; required ("daly" needs it to give an interval)',
        ),
        (
            ("jobs.b.recovery.group=7",),
            "jobs.b.recovery.group: found 7; must divide the job's gpus = 72",
        ),
        (
            ("hazards.gpu.mtbf=" + TRACE % ("25919 h", "false"),),
            "hazards.gpu.mtbf: found a record of 25919 h, shorter than the horizon of 36 mo; repeat = true starts it "
            "again",
        ),
        (
            ('hazards.gpu.burst={size=4, within="25921 h"}',),
            "hazards.gpu.burst.within: found 25921 h; at most the horizon of 36 mo",
        ),
        (
            ('hazards.gpu.repair=[{name="x", time="1 h"}, {name="x", time="2 h", crews=2}]',),
            'hazards.gpu.repair.1.crews: found 2; must be unlimited as in hazard "gpu": crews named "x" are shared',
        ),
    ],
)
def test_a_broken_rule_is_one_line(broken, changes, told):
    """The line names the key, what was found and what is allowed."""
    assert broken(*changes) == [told]


def test_crews_of_one_name_are_compared_in_every_stage(broken):
    """The second stage of one hazard and the only stage of another share technicians; the later number is wrong."""
    other = '{component="rack", mtbf="1e6 h", repair={name="technician", time="1 h", crews=3}}'
    first = (
        '{component="gpu", mtbf="25000 h", repair=[{name="reboot", time="1 h"},'
        ' {name="technician", time="4 h", crews=2}]}'
    )
    assert broken(f"hazards=[{first}, {other}]") == [
        'hazards.rack.repair.crews: found 3; must be 2 as in hazard "gpu": crews named "technician" are shared'
    ]


def test_a_record_has_as_many_failures_on_any_cluster(broken):
    """Two failures in 8 ms, again and again over 36 months, are 2 x 25,920 h / 8 ms, however many GPUs there are."""
    trace = '{kind="trace", at=["0.001 s", "0.003 s"], span="0.008 s", repeat=true}'
    assert broken(f"hazards.gpu.mtbf={trace}") == [
        f"hazards: found {2 * 25_920 * MS_PER_H // 8:,} expected failures in one replication "
        "(components x horizon / MTBF); at most 20,000,000"
    ]


def test_silent_repairs_of_ageing_components_count(broken):
    """5,184 GPUs of 100 h over 25,920 h live 1.34 million lives; with 99 % silent repairs each fails 100 times.

    With silent repairs only, a Weibull of shape 1 fails at its constant rate, and a list of lives without end.
    """
    silent = "hazards.gpu.repair.technician.silent"
    wears = 'hazards.gpu.mtbf={kind="weibull", mean="%s h", shape=%s}'
    assert f"found {5184 * 259.2 * 100:,.0f} expected" in broken(wears % (100, 5), f"{silent}=99 %")[0]
    constant = f"found {5184 * 25_920 / 5:,.0f} expected"
    assert constant in broken(wears % (5, "1.0"), f"{silent}=100 %")[0]
    # half of all GPUs, in lives of twice 100 h; lemons age three times as fast
    worn = 2592 * (25_920 * math.gamma(1.5) / 200) ** 2
    lemons = "hazards.gpu.lemons={fraction='50 %', factor=3}"
    assert f"found {worn * (1 + 9):,.0f} expected" in broken(wears % (100, "2.0"), f"{silent}=100 %", lemons)[0]
    alike = "hazards.gpu.lemons={fraction='50 %', factor=1}"
    assert constant in broken(wears % (5, "1.0"), f"{silent}=100 %", alike)[0]
    observed = 'hazards.gpu.mtbf={kind="empirical", values=["1000 h", "2000 h"]}'
    assert "found countless expected failures" in broken(observed, f"{silent}=100 %")[0]
