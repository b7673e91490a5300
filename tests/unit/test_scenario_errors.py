"""What a user is told: one line per mistake, with file, line, dotted path, found, allowed, nearest right name."""

import pytest

from dcsim.hazards import LIFETIMES
from dcsim.recovery import STRATEGIES
from dcsim.scenario import Problem, ScenarioError, load
from dcsim.scenario.errors import dotted
from dcsim.scenario.layers import key_lines

WRONG = """\
name = ""
horizon = 36
sed = 3
[cluster]
topology = "gb300-nvl7"
gpu = 5184
spares = -1
[[jobs]]
name = "pretrain"
gpus = 4096.0
[jobs.recovery]
kind = "fault-tolernt"
failover = "5 m"
[[jobs]]
name = "re.search"
gpus = true
recovery = { kind = "checkpoint-restart", failovr = "5 min" }
[[jobs]]
gpus = "4"
recovery = "hot"
[[hazards]]
component = "gp"
mtbf = 25000
blast = "x"
repair = { mean = "1 h", sigma = nan }
[[hazards]]
component = "gpu"
mtbf = { mean = "1 h" }
mtbf_range = ["1 h"]
blast = 1.5
[[hazards.repair]]
time = { kind = "exponential", mean = "0 s", z = 1 }
[[hazards]]
component = "rack"
mtbf = { kind = 5 }
mtbf_range = ["1 h", "2 h", "3 h"]
repair = []
detect = []
[tco]
gpu_hour = "4 EUR"
setup = { engineer_months = 1e400, x = 1 }
network = 2026-01-01
support = true
hot_storage = 500
[accounting]
mode = "Hot"
job_size = 99999999999999999999
comm = 0.2
"""
MTBF = 'a mean time between failures as text with a unit such as "25000 h" (s, min, h, d, mo, y), or a rate such as '
MTBF += '"0.001 /h", "9 %/y" or "500 FIT"'
TIME = 'as text with a unit such as "15 min" (s, min, h, d, mo, y)'
RECOVERY = ", ".join(STRATEGIES["checkpoint-restart"].model_fields)
TOP = "name, description, horizon, month, starts, seed, cluster, jobs, hazards, maintenance, energisation, accounting, "
TOP += "tco, owner, grid, finance, tokens, slo, sla, uncertain, correlated"
SHIPPED = "clos-100k, gb200-nvl72, gb300-nvl72, hgx-b200, hgx-h100, hgx-h200, lingjun-2023, vr200-nvl72"
NAMES = f"{SHIPPED}, or a path ending in .toml"
KINDS = ", ".join(STRATEGIES)
LIVES = ", ".join(LIFETIMES)
RULES = 'a rule: "young", "daly", "optimal", or "never"'
TIMES = "fixed, exponential, lognormal, weibull, gamma, uniform, triangular, empirical"
PRICE = 'a price per GPU-hour as text with a unit such as "4 USD" (USD, USD/GPU-h)'
PARTS = (
    "allowed: gpu, node, tray, rack, access-link, nvlink-switch, shelf, psu, leaf, leaf-uplink, spine, spine-uplink, "
    "core, cdu, busway, feed, generator, site-feed, gateway"
)
TOLD = f"""\
1: name: found ''; must not be empty
2: horizon: found 36; allowed: a duration above zero {TIME}; the unit is missing
3: sed: unknown key; allowed: {TOP}; did you mean "seed"?
5: cluster.topology: found 'gb300-nvl7'; allowed: {NAMES}; did you mean "gb300-nvl72"?
6: cluster.gpu: unknown key; allowed: topology, gpus, spares, spares_run, burn_in, in_rack_spares; did you mean "gpus"?
7: cluster.spares: found -1; must be at least 0
10: jobs.pretrain.gpus: found 4096.0; must be a whole number
12: jobs.pretrain.recovery.kind: found 'fault-tolernt'; allowed: {KINDS}; did you mean "fault-tolerant"?
16: jobs."re.search".gpus: found true; must be a whole number
17: jobs."re.search".recovery.checkpoint_every: missing; required (computing time between checkpoints, or {RULES})
17: jobs."re.search".recovery.failovr: unknown key; allowed: {RECOVERY}; did you mean "failover"?
18: jobs.2.name: missing; required (what the job is called, unlike any other)
19: jobs.2.gpus: found '4'; must be a whole number, without quotes
20: jobs.2.recovery: found 'hot'; must be a table with a kind; allowed: {KINDS}
22: hazards.gp.component: found 'gp'; {PARTS}; did you mean "gpu"?
23: hazards.gp.mtbf: found 25000; allowed: {MTBF}; the unit is missing
24: hazards.gp.blast: found 'x'; allowed: gpu, node, tray, rack
25: hazards.gp.repair.sigma: found nan; must be a finite number
25: hazards.gp.repair.kind: missing; allowed: {TIMES}
28: hazards.gpu.mtbf.kind: missing; allowed: {LIVES}
29: hazards.gpu.mtbf_range: found a list of 1; must be a list of 2
30: hazards.gpu.blast: found 1.5; must be a whole number
32: hazards.gpu.repair.0.time.mean: found '0 s'; must be above zero
32: hazards.gpu.repair.0.time.z: unknown key; allowed: kind, mean
35: hazards.rack.mtbf.kind: found 5; allowed: {LIVES}
36: hazards.rack.mtbf_range: found a list; must have at most 2 entries
37: hazards.rack.repair: found a list; must not be empty
38: hazards.rack.detect: found a list; must be text with a unit, or a table with a kind; allowed: {TIMES}
40: tco.gpu_hour: found '4 EUR'; allowed: {PRICE}; prices are in USD; convert other currencies first
41: tco.setup.engineer_months: found inf; must be a finite number
41: tco.setup.x: unknown key; allowed: idle, engineer_months, engineer_month
42: tco.network: found 2026-01-01; no key takes a date or time of day
43: tco.support: found true; allowed: a share below 100 % as text with a unit such as "5 %" (%)
44: tco.hot_storage: found 500; must be a table
46: accounting.mode: found 'Hot'; allowed: cold, hot, tolerant; did you mean "hot"?
47: accounting.job_size: found a whole number that takes more than 64 bits
48: accounting.comm: unknown key; allowed: mode, identify, job_size
"""


@pytest.fixture
def problems(tmp_path):
    """Load a text; return the problems."""

    def of(text):
        path = tmp_path / "a.toml"
        path.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            load(path)
        assert {problem.file for problem in caught.value.problems} == {str(path)}
        return caught.value.problems

    return of


def test_every_mistake_is_one_line_with_its_place(problems):
    """Forty mistakes of every kind: each is told once, at its line, under its dotted path, in plain words."""
    told = [str(problem).removeprefix(f"{problem.file}:") for problem in problems(WRONG)]
    assert told == TOLD.splitlines()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[jobs]\ngpus = 3", "found a table; must be a list of tables, each under [[jobs]]"),
        ("jobs = 3", "found 3; must be a list"),
        ("jobs = []", "found a list; must not be empty"),
        ("jobs = [3]", "found 3; must be a table"),
        ("cluster = []", "found a list; must be a table"),
        ("description = 3", "found 3; must be text"),
        ('description = "' + "x" * 10_001 + '"', "must have at most 10000 characters"),
        ("seed = 9223372036854775808", "found a whole number that takes more than 64 bits"),
        ("seed = -9223372036854775809", "found a whole number that takes more than 64 bits"),
        ("cluster = { gpus = 10000001 }", "found 10000001; must be at most 10000000"),
        ("tco = { setup = [] }", "found a list; must be text with a unit, or a table"),
        ("tco = { setup = { engineer_months = -1 } }", "found -1; must be at least 0"),
        (
            "hazards = [{ mtbf = [] }]",
            f"found a list; must be text with a unit, or a table with a kind; allowed: {LIVES}",
        ),
        ("hazards = [{ mtbf = { kind = 'text' } }]", "found a table; allowed: a mean time between failures"),
        ("hazards = [{ repair = { kind = 'lognormal', mean = '1 h', sigma = 0 } }]", "found 0; must be above 0"),
        ("tco = { 'a\\nb' = 1 }", 'tco."a\\\\nb": unknown key'),
        ("tco = { '<table>' = 1 }", 'tco."<table>": unknown key'),
        ('"" = 1', '"": unknown key'),
        ("x" * 5_000 + " = 1", ': "' + "x" * 60 + '...": unknown key'),
    ],
)
def test_what_a_form_must_be(problems, text, told):
    """Wrong tables, lists, sizes and odd keys are told in plain words too, on a short line."""
    lines = list(map(str, problems(text)))
    assert [told for line in lines if told in line] == [told]
    assert max(map(len, lines)) < 400


def test_a_misspelt_key_is_not_also_missing(problems):
    """One mistake, one line: `gpu` for `gpus` is unknown, and `gpus` is not missed on top."""
    paths = [problem.path for problem in problems("[cluster]\ntopology = 'hgx-h100'\ngpu = 8")]
    assert "cluster.gpu" in paths
    assert "cluster.gpus" not in paths


def test_many_mistakes_are_cut_short(problems):
    """A hundred are named, and that there are more."""
    found = problems("".join(f"key{number} = 1\n" for number in range(5_000)))
    assert len(found) == 101
    assert found[-1].message == "and more mistakes; these are the first 100"


def test_a_problem_is_one_line_whatever_it_holds():
    """Line breaks and control characters are shown escaped."""
    problem = Problem("a\nb", 3, 'jobs."\x1b[31m"', "found \u2028")
    assert str(problem) == 'a\\nb:3: jobs."\\x1b[31m": found \\u2028'
    assert str(Problem("", None, "", "no")) == "'': no"


def test_paths_name_list_entries():
    """An entry goes by its name, else its component; by index if it has none of its own or it is a number."""
    data = {"jobs": [{"name": "a"}, {"name": "b"}, {"name": "b"}, {"name": "7"}, {}, 5, {"name": ["x"]}]}
    told = [dotted(("jobs", index, "gpus"), data) for index in range(7)]
    assert told == [f"jobs.{entry}.gpus" for entry in ("a", 1, 2, 3, 4, 5, 6)]
    assert dotted(("hazards", 0), {"hazards": [{"component": "gpu"}]}) == "hazards.gpu"
    assert dotted(("jobs", "pre train", "x y")) == 'jobs."pre train"."x y"'


def test_lines_of_every_way_to_write_a_key():
    """Headers, arrays of tables, dotted and quoted keys, values over many lines, and marks inside of text."""
    text = '''# [comment]
name = "a = [ # b"   # c
[cluster]
gpus = 1
"top\\u006flogy" . x = 1
[[jobs]]
a = """
[not.a.header]
b = 1 \\""" c
"""
b = 1
[jobs.recovery]
kind = 'x"'
[[jobs]]
c = [
  { d = 1 },  # ]
  [2,
   3],
]
e.f = 1
e.g = { h = [1,
 2] }
[[jobs.list]]
[[jobs.list]]
i = \'\'\'
\'\'j\'\'\'
[ tco . "set up" ]
'''
    assert key_lines(text) == {
        ("name",): 2,
        ("cluster",): 3,
        ("cluster", "gpus"): 4,
        ("cluster", "topology"): 5,
        ("cluster", "topology", "x"): 5,
        ("jobs",): 6,
        ("jobs", 0): 6,
        ("jobs", 0, "a"): 7,
        ("jobs", 0, "b"): 11,
        ("jobs", 0, "recovery"): 12,
        ("jobs", 0, "recovery", "kind"): 13,
        ("jobs", 1): 14,
        ("jobs", 1, "c"): 15,
        ("jobs", 1, "e"): 20,
        ("jobs", 1, "e", "f"): 20,
        ("jobs", 1, "e", "g"): 21,
        ("jobs", 1, "list"): 23,
        ("jobs", 1, "list", 0): 23,
        ("jobs", 1, "list", 1): 24,
        ("jobs", 1, "list", 1, "i"): 25,
        ("tco",): 27,
        ("tco", "set up"): 27,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("horizon = 36 mo", 'something follows the value; did you mean horizon = "36 mo"?'),
        ("mtbf = 0.001 /h", 'something follows the value; did you mean mtbf = "0.001 /h"?'),
        ("gpu_hour = 2,50 USD", "something follows the value; text must stand in quotes"),
        ("kind = checkpoint-restart", 'this value cannot be read; did you mean kind = "checkpoint-restart"?'),
        ("repeat = True", "this value cannot be read; a truth value is true or false, in lower case"),
        ("spares = null", "this value cannot be read; leave out a key that has no value"),
        ('name = "a', "the text has no closing quote"),
        ("seed = 1\nseed = 2", "this key stands here a second time"),
        ("[tco]\n[tco]", "table 'tco' stands here a second time"),
        ("[tco", 'the header of the table has no closing "]"'),
        ("seed: 1", 'a "=" must follow the key'),
    ],
)
def test_slips_of_the_file_format_are_told_in_plain_words(problems, text, told):
    """What is no TOML is one line at its place, and a remedy never changes what was written."""
    (problem,) = problems(f"# a scenario\n{text}\n# the end\n")
    assert problem.line == 1 + len(text.splitlines())
    assert problem.message == f"is not valid TOML: {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('seed = "12"', "seed: found '12'; must be a whole number, without quotes"),
        ('seed = "12 k"', "seed: found '12 k'; must be a whole number"),
        ("hazards = [{ mtbf = 'optics' }]", '; "optics" is for links that the topology describes'),
        ("jobs = [{ recovery = { kind = 'torchft' } }]", "'torchft' is a preset: did you mean preset = \"torchft\"?"),
        ("jobs = [{ recovery = { kind = 'checkpoint' } }]", '; did you mean "checkpoint-restart"?'),
    ],
)
def test_the_right_word_at_the_wrong_place(problems, text, told):
    """Quotes around a number, a preset as a kind and optics of what is no link are told as what they are."""
    assert [str(line) for line in problems(text) if str(line).endswith(told)]


@pytest.mark.parametrize(
    ("key", "paths"),
    [
        ("spares", 'did you mean "cluster.spares"?'),
        ("gpus", 'did you mean "cluster.gpus" or "jobs.NAME.gpus"?'),
        ("mtbf", 'did you mean "hazards.NAME.mtbf"?'),
        ("sed", 'did you mean "seed"?'),
    ],
)
def test_a_key_without_its_table(key, paths):
    """The path of the key is named, not another key that is spelled like it."""
    with pytest.raises(ScenarioError) as caught:
        load("pretrain-5184/gold", set=[f"{key}=8"])
    assert str(caught.value).endswith(paths)
