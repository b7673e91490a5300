"""A resolved scenario: complete, readable again, with one fingerprint per value."""

import subprocess
import sys

import pytest

from dcsim.scenario import load, sha256, to_toml
from dcsim.shipped import shipped_files

ONE = """
name = "one"            # comment
horizon = "36 mo"
[cluster]
topology = "hgx-h100"
gpus = 64
[[jobs]]
name = "a"
gpus = 32
recovery = { kind = "checkpoint-restart", checkpoint_every = "60 min" }
[[hazards]]
component = "gpu"
mtbf = "25000 h"
repair = { time = { kind = "lognormal", mean = "1 h", sigma = 1 } }
"""
# The same value: other order, layout, units and spelling, defaults written out.
SAME = """
seed = 0
horizon = "25920 h"
name = 'one'
hazards = [
  { repair.time = { sigma = 1.0, mean = "60 min", kind = "lognormal" }, mtbf = "2.5e4 h", component = "gpu" },
]
[[jobs]]
recovery = { checkpoint_every = "0-01:00:00", kind = "checkpoint-restart", memory_overhead = "-0 %" }
gpus = 32
name = "a"
count = 1
[cluster]
spares = 0
gpus = 64
[cluster.topology]
base = "hgx-h100"
node.power = "10200 W"
fabric.port = "50 GB/s"
"""


@pytest.fixture
def loaded(tmp_path):
    """Load a text."""

    def of(text, **changes):
        path = tmp_path / "a.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, **changes)

    return of


@pytest.mark.parametrize("name", sorted(shipped_files("scenarios")))
def test_a_shipped_scenario_survives_being_saved(loaded, name):
    """The resolved file gives an equal scenario with the same fingerprint, and saves to the same bytes."""
    scenario = load(name)
    again = loaded(to_toml(scenario))
    assert again == scenario
    assert sha256(again) == sha256(scenario)
    assert to_toml(again) == to_toml(scenario)


def test_the_saved_file_stands_alone(loaded):
    """It holds the topology itself, every default with its unit, and nothing that is None."""
    text = to_toml(loaded(ONE))
    assert "[cluster.topology.node]\ngpus = 8" in text
    assert 'failover = "0 s"' in text
    assert 'memory_overhead = "0 %"' in text
    assert "tco" not in text
    assert "blast" not in text


def test_layout_and_spelling_do_not_change_the_fingerprint(loaded):
    """Comments, order, units and defaults written out mean the same scenario."""
    assert loaded(ONE) == loaded(SAME)
    assert sha256(loaded(ONE)) == sha256(loaded(SAME))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "two"},
        {"seed": 1},
        {"horizon": "35 mo"},
        {"cluster.topology": "gb300-nvl72"},
        {"jobs.a.recovery.failover": "1 s"},
        {"hazards.gpu.detect": "0.001 s"},
        {"tco.gpu_hour": "4 USD"},
    ],
)
def test_every_other_value_changes_the_fingerprint(loaded, changes):
    """Whatever a result may depend on, name and seed included, is in the fingerprint."""
    assert sha256(loaded(ONE, **changes)) != sha256(loaded(ONE))


def in_a_process(code, **environment):
    """What a fresh interpreter prints."""
    environment["PYTHONPATH"] = ":".join(sys.path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def test_the_fingerprint_is_the_same_in_every_process(loaded, tmp_path):
    """No order of a set or salt of a hash enters it."""
    here = sha256(loaded(ONE))
    code = f"from dcsim.scenario import load, sha256; print(sha256(load({str(tmp_path / 'a.toml')!r})))"
    assert in_a_process(code, PYTHONHASHSEED="5") == here
    assert len(here) == 64


def test_loading_brings_in_nothing_heavy():
    """Reading a scenario loads neither scipy nor networkx nor pyarrow, nor what writes files."""
    code = "import sys; from dcsim.scenario import load; load('pretrain-5184/gold'); print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in in_a_process(code).split()}
    assert "dcsim" in loaded
    assert loaded.isdisjoint({"scipy", "networkx", "pyarrow", "simpy", "matplotlib", "rich", "click", "tomli_w"})


def test_odd_text_survives_being_saved(loaded):
    """Quotes, line breaks, control characters and any script in a name are written so that they are read back."""
    name = "a \"b\" 'c' \\ \t\n\r\x1b\x7f é 中 \U0001f600 # [x]\u2028"
    scenario = loaded(ONE, name=name)
    assert loaded(to_toml(scenario)).name == name
