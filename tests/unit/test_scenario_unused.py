"""Keys that are set though the simulation ignores them: those are named, and no others."""

from typing import ClassVar, Literal

import pytest

from dcsim.recovery import Recovery
from dcsim.scenario import load, unused_keys
from dcsim.shipped import shipped_files
from dcsim.units import Duration

VALID = """
name = "unused"
horizon = "36 mo"
cluster = { topology = "gb300-nvl72", gpus = 5184 }
[[jobs]]
name = "a"
gpus = 4096
recovery = { kind = "checkpoint-restart", checkpoint_every = "1 h" }
[[jobs]]
name = "b"
gpus = 512
recovery = { kind = "fault-tolerant", checkpoint_every = "1 h" }
[[hazards]]
name = "gpu"
component = "gpu"
mtbf = "25000 h"
[[hazards]]
name = "slow"
component = "gpu"
mtbf = { kind = "weibull", mean = "25000 h", shape = 0.7 }
effect = "degrade"
keeps = "50 %"
[[maintenance]]
name = "firmware"
component = "rack"
every = "6 mo"
duration = "2 h"
"""
CURED_BY = "hazards.gpu.lemons.cured_by"
LEMONS = "hazards.gpu.lemons={fraction='5 %', factor=10"
TRACE = 'hazards.gpu.mtbf={kind="trace", at=["1 h", "3 h"], repair=["1 h", "2 h"], repeat=true}'


class Quiet(Recovery):
    """A kind with a key of its own that no strike depends on."""

    rolls_back: ClassVar[bool] = False
    uses: ClassVar[frozenset[str]] = frozenset()
    kind: Literal["quiet"]
    pause: Duration = 0


@pytest.mark.parametrize("name", sorted(shipped_files("scenarios")))
def test_shipped_scenarios_say_nothing_in_vain(name):
    """No shipped scenario sets a key without effect, but for restore, which the published formula may ask for."""
    assert [key for key in unused_keys(load(name)) if not key.endswith(".recovery.restore")] == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ((), []),
        # recovery: what no strike on this kind costs, unless it starts later or is corrupted
        (("jobs.a.recovery.restore=5 min", "jobs.a.recovery.restore_success=90 %"), []),
        (("jobs.a.recovery.coverage=90 %",), ["jobs.a.recovery.coverage"]),
        (("jobs.b.recovery.restore=5 min",), ["jobs.b.recovery.restore"]),
        (("jobs.b.recovery.restore=5 min", "jobs.b.submit=1 h"), []),
        (("jobs.b.recovery.restore=5 min", "jobs.b.recovery.coverage=90 %"), []),
        (("jobs.b.recovery.restore=5 min", "jobs.b.recovery.bad_checkpoint=1 %", "hazards.gpu.effect=corrupt"), []),
        (("jobs.b.recovery.bad_checkpoint=1 %", "jobs.b.submit=1 h"), ["jobs.b.recovery.bad_checkpoint"]),
        (("jobs.b.recovery.restore=0 s",), []),
        (("jobs.a.recovery.restore_gpus=1024",), ["jobs.a.recovery.restore_gpus"]),
        (("jobs.a.recovery.restore_gpus=1024", "jobs.a.recovery.restore_per_doubling=1 min"), []),
        (
            ('jobs.b.recovery={kind="stateless", restore="1 min", checkpoint_every="1 h", checkpoint_write="1 min"}',),
            ["jobs.b.recovery.checkpoint_every", "jobs.b.recovery.checkpoint_write"],
        ),
        (
            (
                'jobs.b.recovery={kind="tiered-checkpoint", restore="1 h", tiers=[{every="1 h", restore="1 min"}]}',
                "jobs.b.submit=1 h",  # it starts from its slowest tier
            ),
            ["jobs.b.recovery.restore"],
        ),
        # hazards: what these lives, this effect or these repairs do not depend on
        (("hazards.gpu.age=1 y",), ["hazards.gpu.age"]),
        (("hazards.slow.age=1 y",), []),
        (("hazards.slow.blast=4", "hazards.slow.returns=job"), ["hazards.slow.blast", "hazards.slow.returns"]),
        (("hazards.gpu.blast=4", "hazards.gpu.returns=job"), []),
        (("hazards.gpu.returns=job", "cluster.in_rack_spares=1"), ["hazards.gpu.returns"]),
        (
            (
                "hazards.gpu.effect=kill",
                "hazards.gpu.repair={time='1 h', silent='5 %'}",
                "hazards.gpu.requalify=1 h",
                "hazards.gpu.returns=job",
            ),
            ["hazards.gpu.repair", "hazards.gpu.requalify", "hazards.gpu.returns"],
        ),
        (("hazards.gpu.repair={time='1 h', silent='5 %'}",), ["hazards.gpu.repair.silent"]),
        (("hazards.slow.repair={time='1 h', silent='5 %'}",), []),
        (("hazards.gpu.repair={time='1 h', silent='5 %'}", LEMONS + "}"), ["hazards.gpu.repair.silent"]),
        (("hazards.gpu.repair={time='1 h', silent='5 %'}", LEMONS + ", cured_by='repair'}"), []),
        (("hazards.gpu.repair={time='1 h', silent='100 %'}", LEMONS + ", cured_by='repair'}"), [CURED_BY]),
        (("hazards.gpu.effect=kill", LEMONS + ", cured_by='repair'}"), [CURED_BY]),
        ((LEMONS.replace("5 %", "0.001 %") + "}",), ["hazards.gpu.lemons"]),  # a twentieth of a GPU
        ((LEMONS.replace("5 %", "0.001 %") + ", cured_by='repair', retire_after=3, window='30 d'}",), [CURED_BY]),
        (
            ("hazards.gpu.repair=[{name='x', time='1 h', silent='5 %'}, {time='1 h', silent='5 %'}]",),
            ["hazards.gpu.repair.x.silent", "hazards.gpu.repair.1.silent"],
        ),
        ((TRACE,), []),
        ((TRACE, "hazards.gpu.repair=1 h"), ["hazards.gpu.repair"]),
        ((TRACE, "hazards.gpu.repair={time='1 h', crews=2}"), ["hazards.gpu.repair.time"]),
        ((TRACE, "hazards.gpu.repair=[{name='x', time='1 h', crews=2}]"), ["hazards.gpu.repair.x.time"]),
        ((LEMONS.replace("10", "1") + "}",), ["hazards.gpu.lemons"]),
        ((LEMONS.replace("10", "1") + ", retire_after=3, window='30 d'}",), []),
        # maintenance that never happens
        (("maintenance.firmware.every=36 mo",), ["maintenance.firmware"]),
        (("maintenance.firmware.first=36 mo",), ["maintenance.firmware"]),
        (("maintenance.firmware.every=36 mo", "maintenance.firmware.first=35 mo"), []),
    ],
)
def test_what_is_ignored_is_named(scenario, changes, named):
    """Every key is listed as `--set` takes it, where it differs from its default and nothing reads it."""
    assert unused_keys(scenario(*changes)) == named


def test_a_named_key_can_be_set_by_its_name(scenario):
    """What is listed leads back to the key, also inside a list of stages."""
    stages = "hazards.gpu.repair=[{name='x', time='1 h', silent='5 %'}, {time='1 h', silent='5 %'}]"
    named = unused_keys(scenario(stages))
    assert unused_keys(scenario(stages, *(f"{key}=0 %" for key in named))) == []


def test_a_kinds_own_keys_are_not_named(scenario):
    """A key that only one kind has is that kind's to use, whether it is among those that follow a strike or not."""
    plain = scenario()
    job = plain.jobs[0].model_copy(update={"recovery": Quiet(kind="quiet", pause="2 s", restore="2 min")})
    assert unused_keys(plain.model_copy(update={"jobs": (job,)})) == ["jobs.a.recovery.restore"]
