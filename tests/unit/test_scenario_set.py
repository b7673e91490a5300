"""Changing single keys: `--set` texts and keyword arguments."""

import pytest

from dcsim.economics import Onboarding
from dcsim.scenario import ScenarioError, load
from dcsim.units import MS_PER_H

TEXT = """
name = "set"
horizon = "36 mo"
cluster = { topology = "gb300-nvl72", gpus = 5184 }
tco.gpu_hour = "4 USD"
[[jobs]]
name = "pretrain"
gpus = 4096
recovery = { kind = "fault-tolerant" }
[[hazards]]
component = "gpu"
mtbf = "25000 h"
[[hazards.repair]]
name = "technician"
time = { kind = "lognormal", mean = "1 h", sigma = 0.5 }
"""


@pytest.fixture
def file(tmp_path):
    """A valid scenario file."""
    path = tmp_path / "a.toml"
    path.write_text(TEXT)
    return path


def problems(source, **changes):
    """The lines that a user sees."""
    with pytest.raises(ScenarioError) as caught:
        load(source, **changes)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("seed=7", lambda s: s.seed == 7),
        ("seed = 7", lambda s: s.seed == 7),
        ("horizon=1 y", lambda s: s.horizon == 8_760 * MS_PER_H),
        ('horizon="1 y"', lambda s: s.horizon == 8_760 * MS_PER_H),
        ("name=Gold = best", lambda s: s.name == "Gold = best"),
        ("name=07:00:00", lambda s: s.name == "07:00:00"),
        ("name=1\nseed = 3", lambda s: s.name == "1\nseed = 3"),
        ("jobs.pretrain.gpus=2048", lambda s: s.jobs[0].gpus == 2048),
        ("jobs.0.gpus=2048", lambda s: s.jobs[0].gpus == 2048),
        ('jobs."pretrain".gpus=2048', lambda s: s.jobs[0].gpus == 2048),
        ("jobs.pretrain.recovery.failover=1 min", lambda s: s.jobs[0].recovery.failover == 60_000),
        ("hazards.gpu.mtbf=50677 h", lambda s: s.hazards[0].mtbf == 50_677 * MS_PER_H),
        ("hazards.gpu.repair.technician.crews=5", lambda s: s.hazards[0].stages[0].crews == 5),
        ("hazards.gpu.repair.0.time.sigma=1", lambda s: s.hazards[0].stages[0].duration.sigma == 1),
        ("hazards.gpu.repair=2 h", lambda s: s.hazards[0].stages[0].duration.mean_ms == 2 * MS_PER_H),
        ('hazards.gpu.repair={time="2 h", crews=3}', lambda s: s.hazards[0].stages[0].crews == 3),
        ("tco.setup={idle='1 mo'}", lambda s: s.tco.setup == Onboarding(idle="1 mo")),
        ("accounting.identify=rollback", lambda s: s.accounting.identify == "rollback"),
    ],
)
def test_set_changes_one_key(file, text, read):
    """A dotted key reaches every value, entries of lists by name or index; quantities need no quotes."""
    assert not read(load(file))
    assert read(load(file, set=[text]))
    assert load(file, set=text) == load(file, set=[text])


def test_set_makes_the_tables_it_needs(file):
    """A key of a table that the file leaves out can be set."""
    changes = ["tco.hot_storage.size=1 TiB", "tco.hot_storage.price=0.1 USD/GiB/mo", "accounting.job_size=8"]
    changed = load(file, set=changes)
    assert (changed.tco.hot_storage.size, changed.tco.hot_storage.price) == (1024, 0.1)
    assert changed.accounting.job_size == 8


def test_later_changes_win(file):
    """Texts apply in order, then keyword arguments."""
    assert load(file, set=["seed=2", "seed=3"]).seed == 3
    assert load(file, set=["seed=2"], seed=4).seed == 4


def test_overrides_in_python_take_values(file):
    """Keyword arguments are dotted keys with Python values, and leave the caller's values alone."""
    tco = {"gpu_hour": "5 USD"}
    changed = load(file, seed=3, **{"jobs.pretrain.gpus": 2048, "tco": tco, "tco.support": "3 %"})
    assert (changed.seed, changed.jobs[0].gpus, changed.tco.gpu_hour, changed.tco.support) == (3, 2048, 5.0, 0.03)
    assert tco == {"gpu_hour": "5 USD"}
    assert load(file, tco=None).tco is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed", "--set: found 'seed'; must be key=value, such as jobs.pretrain.gpus=2048"),
        ("=3", "--set: found '=3'; must be key=value, such as jobs.pretrain.gpus=2048"),
        ("a..b=3", "--set: found 'a..b=3'; must be key=value, such as jobs.pretrain.gpus=2048"),
        ('"a\\q"=3', "--set: found '\"a\\\\q\"=3'; must be key=value, such as jobs.pretrain.gpus=2048"),
        ("a" + ".a" * 60 + "=3", "must be key=value"),
        ("seed=x", "--set seed=x: seed: found 'x'; must be a whole number"),
        ("sed=1", "--set sed=1: sed: unknown key; allowed: name, description, horizon, month, starts, seed, cluster"),
        ("clutser.gpus=1", "--set clutser.gpus=1: clutser: unknown key"),
        ("extends=b.toml", "--set extends=b.toml: extends: unknown key"),
        (
            "jobs.pretrian.gpus=1",
            "--set jobs.pretrian.gpus=1: jobs: found 'pretrian'; allowed: pretrain, 0; did you mean \"pretrain\"?",
        ),
        ("jobs.1.gpus=1", "--set jobs.1.gpus=1: jobs: found '1'; allowed: pretrain, 0"),
        ("jobs.-1.gpus=1", "--set jobs.-1.gpus=1: jobs: found '-1'"),
        (
            "hazards.gpu.mtbf.mean=1 h",
            "hazards.gpu.mtbf: found '25000 h', which has no keys of its own; set it as a whole",
        ),
        ("tco={}", "--set tco={}: tco.gpu_hour: missing; required"),
        ("seed=" + "[" * 5_000, "seed: found '[[["),
        ("name=\udcff", "--set name=\\udcff: name: found '\\udcff'; must be valid text"),
    ],
)
def test_a_wrong_set_is_one_line(file, text, line):
    """The line names the override itself, the key, and what would be right."""
    (found,) = problems(file, set=[text])
    assert line in found
    assert len(found) < 300


def test_all_wrong_overrides_are_named_at_once(file):
    """Wrong entries, wrong keys, wrong values, and mistakes of the file come together."""
    file.write_text("seed = -1\n" + TEXT)
    lines = problems(file, set=["jobs.b.gpus=1", "tco.gpu_hour=4", "sed=1"])
    assert [line.partition(": ")[0] for line in lines] == [
        "--set jobs.b.gpus=1",
        "--set sed=1",
        "--set tco.gpu_hour=4",
        f"{file}:1",
    ]


def test_an_entry_whose_name_is_not_its_own_goes_by_index(file):
    """Of two entries with one name neither is meant by it."""
    file.write_text(TEXT + '[[hazards]]\ncomponent = "gpu"\nmtbf = "25000 h"')
    assert "hazards: found 'gpu'; allowed: 0 to 1" in problems(file, set=["hazards.gpu.blast=8"])[0]
    assert load(file, set=["hazards.0.name=other"]).hazards[0].key == "other"
