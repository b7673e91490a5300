"""What a scenario may ask of its plant, how a topology is changed by a table, and keys that nothing reads."""

import pytest

from dcsim.decide.ablation import ablation_steps
from dcsim.scenario import ScenarioError, load, unused_keys

SITE = "[cluster.topology.power.site]\nfeeds = 2\nfeed = '4 MW'\n"
PLAIN = """
name = "plant"
horizon = "12 mo"
[cluster]
gpus = 1728
[cluster.topology]
base = "gb200-nvl72"
{topology}
[[jobs]]
name = "a"
gpus = 1440
{job}
recovery = {{ kind = "checkpoint-restart", checkpoint_every = "1 h", restore = "10 min" }}
[[hazards]]
component = "{component}"
mtbf = "{mtbf}"
{hazard}
{more}
"""
BLANK = {"topology": "", "job": "", "component": "shelf", "mtbf": "1e6 h", "hazard": "", "more": ""}


def loaded(tmp_path, **parts):
    """Load the scenario with some of its parts changed."""
    (tmp_path / "s.toml").write_text(PLAIN.format(**{**BLANK, **parts}), encoding="utf-8")
    return load(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"component": "busway"}, "hazards.busway.component: found 'busway', which topology gb200-nvl72 does not "),
        ({"hazard": 'effect = "kill"'}, 'hazards.shelf.effect: found "kill"; shelf holds no GPU: allowed: '),
        ({"hazard": 'blast = "rack"'}, "hazards.shelf.blast: found 'rack'; shelf holds no GPU: leave it out; "),
        ({"hazard": 'exposure = "running"'}, 'hazards.shelf.exposure: found "running"; shelf holds no '),
        ({"hazard": 'wrong_node = "5 %"'}, "hazards.shelf.wrong_node: found 0.05; shelf holds no GPU: "),
        ({"hazard": 'returns = "job"'}, 'hazards.shelf.returns: found "job"; shelf holds no GPU: '),
        ({"mtbf": "optics"}, "hazards.shelf.mtbf: found 'optics'; allowed: "),
        ({"topology": "[cluster.topology.power]\nshelfs = 3"}, "cluster.topology.power.shelfs: unknown key; "),
        ({"topology": "[cluster.topology.power]\nshelves = 1"}, "cluster.topology: found gb200-nvl72; 432 of "),
        ({"topology": "[cluster.topology.fabric]\noptics = 'plugable'"}, "cluster.topology: optics: found "),
        ({"job": 'storage = { state = "1 TiB", load = "20 min" }'}, "jobs.a.storage.load: found 20 min; at most "),
        ({"more": '[[energisation]]\nname = "x"\ndate = "1 mo"'}, "energisation.x.racks: found neither "),
        ({"more": '[[energisation]]\nname = "x"\nracks = 25\ndate = "1 mo"'}, "energisation: found 25 racks "),
        ({"more": '[[energisation]]\nname = "x"\ngrid = true\ndate = "1 mo"'}, "energisation.x.grid: found true; "),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, parts, line):
    """Each is one line that says where, what was found and what is allowed."""
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, **parts)
    said = [f"{problem.path}: {problem.message}" for problem in caught.value.problems]
    assert len(said) == 1
    assert said[0].startswith(line)


def test_a_table_changes_a_shipped_topology(tmp_path):
    """What it says goes first, key by key; the rest is the base's; the scenario's value holds all of it."""
    scenario = loaded(tmp_path, topology="[cluster.topology.power]\nshelves = 5\n" + SITE)
    power = scenario.cluster.topology.power
    assert (power.shelves, power.psus, power.site.feeds) == (5, 6, 2)
    assert scenario.cluster.topology.name == "gb200-nvl72"


@pytest.mark.parametrize(
    ("optics", "hours"), [("", 1.263e6), ("optics = 'aec'", 5e6), ("optics = 'mine'", 7e5)]
)  # pluggable is the base's
def test_links_fail_as_their_optics_do(tmp_path, optics, hours):
    """mtbf = "optics" is what the topology says of the kind, its own kinds included, and is written out."""
    own = '[[cluster.topology.optics]]\nname = "mine"\nreach = "3 m"\npower = "1 W"\nmtbf = "7e5 h"\n'
    table = f"{own}[cluster.topology.fabric]\n{optics}" if optics else ""
    hazard = loaded(tmp_path, topology=table, component="access-link", mtbf="optics").hazards[0]
    assert hazard.mtbf == round(hours * 3_600_000)


def test_keys_that_nothing_reads(tmp_path):
    """Communication without a network, and storage that is never used, are named."""
    assert unused_keys(loaded(tmp_path, job='comm = "10 %"')) == []
    bare = tmp_path / "bare.toml"
    bare.write_text('name = "bare"\ndescription = ""\nnode.gpus = 8\nrack.nodes = 1\nnvlink.domain = "node"\n')
    text = PLAIN.format(**{**BLANK, "component": "node", "job": 'comm = "10 %"\nstorage = { state = "1 TiB" }'})
    text = text.replace('[cluster.topology]\nbase = "gb200-nvl72"\n', "").replace(
        "gpus = 1728", 'gpus = 1728\ntopology = "./bare.toml"'
    )
    (tmp_path / "b.toml").write_text(text, encoding="utf-8")
    assert unused_keys(load(tmp_path / "b.toml")) == ["jobs.a.comm", "jobs.a.storage"]


def test_the_bridge_takes_the_plant_back(tmp_path):
    """Each of its parts that a scenario has is a step; what fails alone and strikes nobody goes with it."""
    node = '[[hazards]]\ncomponent = "node"\nmtbf = "1e5 h"\n'
    phase = f'{node}[[energisation]]\nname = "x"\nracks = 2\ndate = "1 mo"'
    storage = 'comm = "10 %"\nstorage = { state = "1 TiB", load = "1 min" }'
    steps = {step.name: step for step in ablation_steps(loaded(tmp_path, topology=SITE, more=phase, job=storage))}
    assert [name for name in ("fabric", "storage", "power", "energisation") if name in steps] == [
        "fabric",
        "storage",
        "power",
        "energisation",
    ]
    plain = loaded(tmp_path, component="node")
    assert not {"fabric", "storage", "power", "energisation"} & {step.name for step in ablation_steps(plain)}
