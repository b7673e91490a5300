"""Rules that tie keys together: each broken one is named with its path, what was found and what is allowed."""

import pytest

from dcsim.scenario.rules import MOST_FAILURES, MOST_GPU_MS
from dcsim.units import MS_PER_H

VALID = """
name = "rules"
horizon = "36 mo"
[cluster]
topology = "gb300-nvl72"
gpus = 5184
spares = 64
[[jobs]]
name = "a"
gpus = 4096
recovery = { kind = "checkpoint-restart", checkpoint_every = "1 h" }
[[jobs]]
name = "b"
gpus = 512
count = 2
recovery = { kind = "fault-tolerant" }
[[hazards]]
name = "gpu"
component = "gpu"
mtbf = "25000 h"
mtbf_range = ["25000 h", "50677 h"]
repair = { name = "crew", time = "1 h", crews = 2 }
[[hazards]]
component = "node"
mtbf = "1e6 h"
repair = [{ name = "crew", time = "2 h", crews = 2 }]
[[hazards]]
component = "rack"
mtbf = "1e6 h"
blast = 8
[accounting]
job_size = 4096
"""


NODE_TWICE = 'hazards.tray.name: found "node", the name of hazards.0 too; names must be unique'


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("cluster.spares=0", "jobs.b.gpus=544"),  # all GPUs in jobs
        ("cluster.spares=0", "jobs.b.count=1088", "jobs.b.gpus=1"),
        ("jobs.b.submit=25919 h",),
        ("jobs.a.recovery.network_overhead=60 %", "jobs.a.recovery.memory_overhead=39 %"),
        ("hazards.gpu.blast=5184",),
        ("hazards.gpu.blast=gpu",),
        ("hazards.node.blast=tray",),
        ("hazards.rack.blast=1",),
        ("hazards.gpu.mtbf=50677 h",),
        ("hazards.0.name=node2",),
        ("accounting.job_size=5184",),
        ("jobs.b.recovery.checkpoint_write=1 s", "jobs.b.recovery.checkpoint_every=1 h"),
    ],
)
def test_what_is_just_allowed(scenario, changes):
    """Each rule lets its limit pass."""
    assert scenario(*changes).name == "rules"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            ("jobs.b.gpus=513",),
            "jobs: found 5186 GPUs = 4096 x 1 + 513 x 2 in jobs + 64 spares; at most 5184 (cluster.gpus)",
        ),
        (
            ("cluster.spares=65",),
            "jobs: found 5185 GPUs = 4096 x 1 + 512 x 2 in jobs + 65 spares; at most 5184 (cluster.gpus)",
        ),
        (
            ("cluster.gpus=5186",),
            "cluster.gpus: found 5186; must be a multiple of 4, the GPUs of one node of gb300-nvl72; "
            "nearest: 5184 or 5188",
        ),
        (("jobs.1.name=a",), 'jobs.1.name: found "a", the name of jobs.0 too; choose another'),
        (
            ("jobs.b.name=rest",),
            'jobs.rest.name: found "rest", the name of the ledger\'s row of all other GPUs; choose another',
        ),
        (
            ("jobs.b.name=spares",),
            'jobs.spares.name: found "spares", the name of the ledger\'s row of idle spares; choose another',
        ),
        (("hazards.1.name=gpu",), 'hazards.1.name: found "gpu", the name of hazards.0 too; names must be unique'),
        (("hazards.gpu.name=rack",), 'hazards.2.name: found "rack", the name of hazards.0 too; names must be unique'),
        (
            ("hazards.gpu.repair.crews=3",),
            'hazards.node.repair.crew.crews: found 2; must be 3 as in hazard "gpu": crews named "crew" are shared',
        ),
        (
            ('hazards.node.repair={name="crew", time="1 h"}',),
            'hazards.node.repair.crews: found unlimited; must be 2 as in hazard "gpu": crews named "crew" are shared',
        ),
        (
            ("hazards.node.blast=gpu",),
            "hazards.node.blast: found 'gpu', smaller than the node that fails; allowed: node, rack",
        ),
        (
            ("hazards.rack.blast=tray",),
            "hazards.rack.blast: found 'node', smaller than the rack that fails; allowed: rack",
        ),
        (("hazards.1.component=tray", "hazards.gpu.name=node"), NODE_TWICE),
        (("hazards.gpu.blast=5185",), "hazards.gpu.blast: found 5185; at most 5184 (cluster.gpus)"),
        (
            ("jobs.a.recovery.network_overhead=60 %", "jobs.a.recovery.memory_overhead=40 %"),
            "jobs.a.recovery: found network_overhead + memory_overhead = 0.6 + 0.4; must be below 100 % together",
        ),
        (
            ('hazards.gpu.mtbf_range=["50677 h", "25000 h"]',),
            "hazards.gpu.mtbf_range: found 50677 h to 25000 h; must be the lowest MTBF, then the highest",
        ),
        (("jobs.b.submit=36 mo",), "jobs.b.submit: found 36 mo; must be before the horizon of 36 mo"),
        (("accounting.job_size=5185",), "accounting.job_size: found 5185; at most 5184 (cluster.gpus)"),
        (
            ("jobs.b.recovery.checkpoint_write=1 s",),
            "jobs.b.recovery.checkpoint_every: missing; required (checkpoint_write is given)",
        ),
    ],
)
def test_a_broken_rule_is_one_line(broken, changes, told):
    """The line names the key, what was found and what is allowed."""
    assert broken(*changes) == [told]


def test_failures_must_fit_in_memory(scenario, broken):
    """At 5,184 GPUs over 36 months, an MTBF of 6.71 h gives 20.03 million failures and one of 6.73 h 19.97 million."""
    hazards = 'hazards=[{component="gpu", mtbf="%s h"}]'
    assert 5184 * 36 * 720 / 6.73 < MOST_FAILURES < 5184 * 36 * 720 / 6.71
    assert scenario(hazards % 6.73)
    assert broken(hazards % 6.71) == [
        f"hazards: found {5184 * 36 * 720 / 6.71:,.0f} expected failures in one replication "
        "(components x horizon / MTBF); at most 20,000,000"
    ]


def test_failures_of_all_hazards_count_together(broken):
    """Three hazards of 10 million failures each are too many, though each alone would do."""
    each = '{name="%s", component="gpu", mtbf="13.4 h"}'
    assert (
        f"found {3 * 5184 * 36 * 720 / 13.4:,.0f} expected failures"
        in broken(f"hazards=[{','.join(each % name for name in 'xyz')}]")[0]
    )


def test_accounts_must_fit_in_64_bits(scenario, broken):
    """10 million GPUs for as long as 2^62 GPU-ms last: an hour more is refused."""
    hours = MOST_GPU_MS // 10**7 // MS_PER_H
    large = ("cluster.gpus=10000000", 'hazards=[{component="gpu", mtbf="1e9 h"}]', "accounting.job_size=1")
    assert scenario(*large, f"horizon={hours} h").capacity_gpu_ms < MOST_GPU_MS
    assert broken(*large, f"horizon={hours + 1} h") == [
        f"horizon: too long for 10000000 GPUs to be counted in GPU-milliseconds; at most {hours} h"
    ]


def test_gangs_are_limited(scenario, broken):
    """100,000 gangs are allowed over all jobs, and not one more."""
    many = ("cluster.gpus=200000", "jobs.b.gpus=1", "jobs.b.count=99999")
    assert scenario(*many)
    job = '{name="%s", gpus=1, count=%d, recovery={kind="fault-tolerant"}}'
    jobs = f"jobs=[{job % ('x', 1)}, {job % ('y', 1)}, {job % ('z', 99_999)}]"
    assert broken("cluster.gpus=200000", jobs) == ["jobs: found 100001 gangs; at most 100000"]


def test_all_broken_rules_are_named_at_once(broken):
    """A scenario that breaks six rules is told all six."""
    told = broken(
        "jobs.b.gpus=600",
        "jobs.a.name=rest",
        "jobs.b.submit=40 mo",
        "hazards.gpu.blast=9999",
        "hazards.node.blast=gpu",
        "accounting.job_size=9999",
    )
    assert len(told) == 6
