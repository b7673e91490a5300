"""Loading a scenario: files and shipped names, `extends`, and every way in which a file can be no scenario."""

import os
import pickle

import pytest

import dcsim
from dcsim import files
from dcsim.hazards.hazard import RepairStage
from dcsim.scenario import Problem, ScenarioError, load
from dcsim.shipped import shipped_files
from dcsim.units import MS_PER_H

CONTRACT = """
name = "Gold-tier"
horizon = "36 mo"                     # 1 mo = 720 h
seed = 1

[cluster]
topology = "gb300-nvl72"              # a name in topologies/ or a path
gpus = 5184
spares = 32

[[jobs]]
name = "pretrain"
gpus = 4096
count = 1
priority = 10
[jobs.recovery]
kind = "fault-tolerant"
failover = "5 min"
restore = "10 min"
checkpoint_every = "60 min"
checkpoint_write = "0 s"
network_overhead = "0 %"
memory_overhead = "0 %"

[[hazards]]
name = "gpu"
component = "gpu"
mtbf = "25000 h"
blast = 64
detect = "15 min"
[[hazards.repair]]
name = "technician"
time = { kind = "lognormal", mean = "1 h", sigma = 0.5 }
crews = 2

[accounting]
mode = "tolerant"
identify = "max"
job_size = 4096

[tco]
term = "36 mo"
gpu_hour = "4 USD"
hot_storage = { size = "500 TiB", price = "0.035 USD/GiB/mo" }
cold_storage = { size = "10 PiB", price = "0.01 USD/GiB/mo" }
network = "0 USD/mo"
cpu = "0 USD/mo"
support = "0 %"
setup = "0 USD"
debugging = "0 USD/mo"
"""
LEAST = """
name = "least"
horizon = "1 mo"
cluster = { topology = "hgx-h100", gpus = 64 }
jobs = [{ name = "a", gpus = 32, recovery = { kind = "fault-tolerant" } }]
hazards = [{ component = "gpu", mtbf = "25000 h" }]
"""


@pytest.fixture
def write(tmp_path):
    """Write a file in a folder of its own; return its path."""

    def written(text, name="a.toml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def problems(source, **changes):
    """The lines that a user sees."""
    with pytest.raises(ScenarioError) as caught:
        load(source, **changes)
    return str(caught.value).splitlines()


def only_problem(source, **changes):
    """The line that a user sees, where one mistake was made."""
    (line,) = problems(source, **changes)
    return line


# --- what loads


def test_the_contract_loads(write):
    """The example of the scenario contract is read in full."""
    gold = load(write(CONTRACT))
    assert (gold.name, gold.seed, gold.horizon) == ("Gold-tier", 1, 36 * 720 * MS_PER_H)
    assert (gold.cluster.gpus, gold.cluster.spares, gold.cluster.topology.name) == (5184, 32, "gb300-nvl72")
    (job,) = gold.jobs
    assert (job.name, job.gpus, job.count, job.priority, job.submit) == ("pretrain", 4096, 1, 10, 0)
    assert (job.recovery.kind, job.recovery.failover, job.recovery.restore) == ("fault-tolerant", 300_000, 600_000)
    (hazard,) = gold.hazards
    assert (hazard.key, hazard.blast, hazard.detect, hazard.stages[0].crews) == ("gpu", 64, 900_000, 2)
    assert isinstance(hazard.repair[0], RepairStage)
    assert (gold.accounting.mode, gold.accounting.job_size) == ("tolerant", 4096)
    assert (gold.tco.gpu_hour, gold.tco.hot_storage.size) == (4.0, 500 * 1024)


def test_what_is_not_required_has_the_stated_default(write):
    """Ten keys make a scenario; the rest is 0, 1, hot, max, and no money."""
    least = load(write(LEAST))
    (job,), (hazard,) = least.jobs, least.hazards
    assert (least.seed, least.cluster.spares, job.count, job.priority, job.submit) == (0, 0, 1, 0, 0)
    assert (job.recovery.failover, job.recovery.restore, job.recovery.checkpoint_every) == (0, 0, None)
    assert (job.recovery.steady_overhead, job.recovery.spare) == (0, "hot")
    assert (hazard.detect, hazard.stages[0].duration.mean_ms, hazard.stages[0].crews, hazard.blast) == (
        0,
        0,
        None,
        None,
    )
    assert (least.accounting.identify, least.accounting.mode, least.tco) == ("max", None, None)


@pytest.mark.parametrize("name", sorted(shipped_files("scenarios")))
def test_every_shipped_scenario_loads_by_name(name, tmp_path, monkeypatch):
    """A shipped scenario is reached by name from any folder, and is the same as its file."""
    monkeypatch.chdir(tmp_path)
    assert load(name) == load(shipped_files("scenarios")[name]) == dcsim.load(name)


def test_a_file_goes_before_a_shipped_name(write, tmp_path, monkeypatch):
    """A user's own file is read although a shipped scenario has its name; a folder of that name is no file."""
    monkeypatch.chdir(tmp_path)
    write(LEAST, "pretrain-5184/gold")
    assert load("pretrain-5184/gold").name == "least"
    (tmp_path / "pretrain-5184/silver").mkdir()
    assert load("pretrain-5184/silver").name == load(shipped_files("scenarios")["pretrain-5184/silver"]).name


def test_a_topology_path_is_relative_to_the_file_that_names_it(write, tmp_path, monkeypatch):
    """Wherever dcsim runs, and through `extends`, a path is read from the folder of its own file."""
    topology = 'name = "tiny"\ndescription = ""\nnode.gpus = 2\nrack.nodes = 2\nnvlink.domain = "rack"\n'
    write(topology, "parts/tiny.toml")
    base = write(LEAST.replace('"hgx-h100"', '"tiny.toml"'), "parts/base.toml")
    child = write('extends = "parts/base.toml"\nseed = 3')
    monkeypatch.chdir("/")
    assert load(base).cluster.topology.name == load(child).cluster.topology.name == "tiny"
    assert load(child, set=["cluster.topology=parts/tiny.toml"]).cluster.topology.node.gpus == 2


def test_a_record_is_read_from_the_folder_of_the_file_that_names_it(write, monkeypatch):
    """A file of outages lies beside its scenario, also where another file names the topology; overrides: the first."""
    write("start_h\n1\n3\n", "parts/outages.csv")
    write("start_h\n1\n3\n5\n", "outages.csv")
    trace = '{ kind = "trace", file = "outages.csv", repeat = true }'
    whole = write(LEAST.replace('"25000 h"', trace), "parts/whole.toml")
    base = write(LEAST, "parts/base.toml")
    child = write(f'extends = "parts/{base.name}"\nhazards = [{{ component = "gpu", mtbf = {trace} }}]', "child.toml")
    grandchild = write('extends = "parts/whole.toml"\nseed = 3', "grandchild.toml")
    monkeypatch.chdir("/")
    assert [len(load(path).hazards[0].lifetime.times) for path in (whole, child, grandchild)] == [2, 3, 2]
    changes = ["hazards.gpu.blast=4", "hazards.gpu.mtbf.repeat=true"]
    assert [len(load(grandchild, set=[change]).hazards[0].lifetime.times) for change in changes] == [2, 3]


# --- extends


def test_tables_merge_and_lists_replace(write):
    """`extends` completes tables key by key, and takes the whole of a list from the file on top."""
    write(CONTRACT, "base.toml")
    top = 'extends = "base.toml"\nname = "mine"\n[cluster]\nspares = 64\n[[jobs]]\nname = "other"\ngpus = 8\n'
    mine = load(write(top + '[jobs.recovery]\nkind = "fault-tolerant"\n[tco]\nterm = "12 mo"'))
    assert (mine.name, mine.cluster.spares, mine.cluster.gpus) == ("mine", 64, 5184)
    assert [job.name for job in mine.jobs] == ["other"]
    assert (mine.tco.term, mine.tco.gpu_hour) == (12 * 720 * MS_PER_H, 4.0)
    assert mine.hazards == load(write(CONTRACT, "base.toml")).hazards


def test_a_base_may_have_a_base(write):
    """The nearest file wins, whatever the length of the chain."""
    write(LEAST, "0.toml")
    for number in range(1, 12):
        write(f'extends = "{number - 1}.toml"\nseed = {number}', f"{number}.toml")
    assert load(write('extends = "11.toml"')).seed == 11


@pytest.mark.parametrize("target", ["a.toml", "./a.toml", "../{folder}/a.toml", "link.toml"])
def test_a_file_cannot_extend_itself(write, tmp_path, target):
    """Not by name, not by a detour, not by a link."""
    path = write(f'extends = "{target.format(folder=tmp_path.name)}"')
    (tmp_path / "link.toml").symlink_to(path)
    line = only_problem(path)
    assert line.startswith(f"{path}:1: extends: found ")
    assert line.endswith("leads back to itself: 'a.toml' -> 'a.toml'")


def test_a_circle_is_named(write, tmp_path):
    """The line names the files of the circle, and stands where it closes."""
    write('extends = "c.toml"', "b.toml")
    write('seed = 1\nextends = "b.toml"', "c.toml")
    line = only_problem(write('extends = "b.toml"'))
    assert line.startswith(f"{tmp_path}/c.toml:2: extends: found 'b.toml'; leads back to itself: 'b.toml' -> 'c.toml'")


@pytest.mark.parametrize("how", ["dots", "absolute", "link"])
def test_a_base_stays_inside_the_folder(write, tmp_path, how):
    """A base outside of the scenario's folder is refused, also through a link."""
    outside = write(LEAST, "base.toml")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/link.toml").symlink_to(outside)
    target = {"dots": "../base.toml", "absolute": str(outside), "link": "link.toml"}[how]
    line = only_problem(write(f'extends = "{target}"', "sub/a.toml"))
    assert "lies outside of the scenario folder" in line


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("3", "found 3; must be text"),
        ('""', "must be text"),
        ('"x\\u0000"', "must be text"),
        ('["b.toml"]', "found a list; must be text"),
        ('"bsae.toml"', "found 'bsae.toml'; no such file; did you mean \"base.toml\"?"),
        ('"' + "x" * 5_000 + '"', "no such file"),
    ],
)
def test_a_base_that_is_none(write, value, words):
    """What `extends` cannot mean is one clear line, and a missing base is looked for."""
    write(LEAST, "base.toml")
    line = only_problem(write(f"seed = 1\nextends = {value}"))
    assert ":2: extends: found " in line
    assert words in line
    assert len(line) < 300


def test_a_mistake_in_a_base_names_the_base(write, tmp_path):
    """Each line names the file in which the value stands, and its line there."""
    write(LEAST.replace('"1 mo"', "1") + "[tco]\ngpu_hour = 4", "base.toml")
    lines = problems(write('extends = "base.toml"\nseed = -1'))
    assert [line.partition(": found")[0] for line in lines] == [
        f"{tmp_path}/a.toml:2: seed",
        f"{tmp_path}/base.toml:3: horizon",
        f"{tmp_path}/base.toml:8: tco.gpu_hour",
    ]


def test_a_list_that_replaces_hides_the_base(write, tmp_path):
    """A key that the list on top lacks is missed there, though the base's list had it."""
    write(CONTRACT, "base.toml")
    line = only_problem(write('extends = "base.toml"\n\n[[hazards]]\nmtbf = "1 h"'))
    assert line.startswith(f"{tmp_path}/a.toml:3: hazards.0.component: missing; required")


# --- files that are none


def test_a_missing_file_is_looked_for(write, tmp_path):
    """The nearest file or shipped name is offered."""
    write(LEAST, "gold.toml")
    assert only_problem(tmp_path / "glod.toml").endswith('/gold.toml"?')
    assert only_problem("pretrain-5184/glod").endswith('did you mean "pretrain-5184/gold"?')
    assert only_problem("").startswith("'': no such file")
    assert "no such file" in only_problem("x\0y")
    assert "no such file" in only_problem("y" * 5_000)


def test_a_name_that_cannot_be_printed_is_shown_escaped(tmp_path):
    """Control characters in a file's name do not break the line."""
    path = tmp_path / "a\nb.toml"
    path.write_text("seed = ")
    assert only_problem(path).startswith(f"{tmp_path}/a\\nb.toml:1: is not valid TOML")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\t\r\n", "is empty"),
        (b"\xef\xbb\xbf" + LEAST.encode(), "begins with a byte-order mark; save it as UTF-8 without one"),
        (LEAST.encode("utf-16"), "is not a text file"),
        (b"\x7fELF\x02\x01\0\0", "is not a text file: it holds a NUL byte"),
        (b"seed = 1\nname = '\xe9'", ":2: is not a text file: not UTF-8"),
        (b"#" * (1 << 20) + b"\n", "is too large: 1,048,577 bytes; at most 1,048,576 are allowed"),
        (
            b"seed = 1\nhorizon = 36 mo\n",
            ":2: is not valid TOML: something follows the value",
        ),
        (b"seed = 1\nhorizon = 36 mo\n", 'did you mean horizon = "36 mo"?'),
        (b"[jobs.recovery]\nkind = fault-tolerant", 'did you mean kind = "fault-tolerant"?'),
        (b"seed = 1\nseed = 2", ":2: is not valid TOML: this key stands here a second time"),
        (b"\n\nname = 'x", "is not valid TOML"),
        (b"seed = " + b"9" * 5_000, "is not valid TOML: Exceeds the limit"),
        (b"x = " + b"[" * 60, "is nested too deeply"),
        (b"\nx = " + b"{ a = " * 60, ":2: is nested too deeply"),
        (b"a" + b".a" * 100_000 + b" = 1", "is nested too deeply"),
        (b"x = { a" + b".a" * 100_000 + b" = 1 }", "is nested too deeply"),
        (b"[" + b"a." * 100_000 + b"a]", "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_scenario_is_one_line(tmp_path, content, words):
    """Each kind of wrong file gives one line that says what is wrong with it."""
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    line = only_problem(path)
    assert line.startswith(str(path))
    assert words in line


def test_a_folder_or_pipe_or_device_is_not_read(tmp_path):
    """What is no regular file is refused before it is opened, so that nothing blocks."""
    os.mkfifo(tmp_path / "pipe")
    assert only_problem(tmp_path).endswith("is a folder")
    assert only_problem(tmp_path / "pipe").endswith("is not a regular file")
    assert only_problem("/dev/zero").endswith("is not a regular file")


def test_a_link_that_leads_nowhere_or_round(tmp_path):
    """Broken links are named, not followed for ever."""
    (tmp_path / "gone.toml").symlink_to("nothing")
    (tmp_path / "round.toml").symlink_to("round.toml")
    assert "cannot be read" in only_problem(tmp_path / "gone.toml")
    assert "cannot be read" in only_problem(tmp_path / "round.toml")


def test_a_file_that_may_not_be_read(write, monkeypatch):
    """The system's reason is passed on."""

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = write(LEAST)
    monkeypatch.setattr(files.disk, "open", refused)
    assert only_problem(path) == f"{path}: cannot be read: Permission denied"


def test_windows_line_ends_count_as_one(write):
    """Carriage returns do not shift the line numbers."""
    path = write("")
    path.write_bytes(b'name = "x"\r\n\r\nseed = -1\r\n')
    assert f"{path}:3: seed: found -1; must be at least 0" in problems(path)


def test_problems_cross_process_borders(write):
    """A worker's error is the same error: rebuilt from its arguments, with every problem."""
    with pytest.raises(ScenarioError) as caught:
        load(write("seed = -1"))
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)
    assert type(again.problems[0]) is Problem
