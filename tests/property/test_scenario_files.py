"""Whatever a file holds, it loads or says what is wrong; whatever loads can be saved and read again."""

import tomllib
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dcsim.scenario import Scenario, ScenarioError, load, sha256, to_toml
from dcsim.shipped import shipped_files
from dcsim.wording import visible

GOLD = shipped_files("scenarios")["pretrain-5184/gold"]
TEXT = GOLD.read_text(encoding="utf-8")
LINES = TEXT.splitlines()

# --- random valid scenarios, as a user writes them

UNITS = st.sampled_from(["s", "min", "h", "d", "mo", "y"])
AMOUNT = st.one_of(st.integers(0, 5_000).map(str), st.floats(0.001, 1e3).map(lambda x: f"{x:.6g}"), st.just("2.5e2"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def quantity(*units, above_zero=False):
    """Text with one of the units."""
    amounts = st.integers(1, 5_000).map(str) if above_zero else AMOUNT
    return st.builds("{} {}".format, amounts, st.sampled_from(units))


TIME = st.one_of(quantity("min", "h", "d"), st.just("0 s"), st.just("1-02:03:04"), st.just("0.001 s"))
LONG = quantity("min", "h", "d", above_zero=True)
SHARE = st.floats(0, 49.9).map(lambda x: f"{x!r} %")
MONTHLY = st.floats(0, 1e9).map(lambda x: f"{x!r} USD/mo")
STORAGE = st.fixed_dictionaries(
    {"size": quantity("GiB", "TB", "kB", "B"), "price": st.floats(0, 10).map(lambda x: f"{x!r} USD/GiB/mo")}
)
DISTRIBUTION = st.one_of(
    st.fixed_dictionaries({"kind": st.just("fixed"), "time": TIME}),
    st.fixed_dictionaries({"kind": st.just("exponential"), "mean": LONG}),
    st.fixed_dictionaries({"kind": st.just("lognormal"), "mean": LONG, "sigma": st.floats(0.01, 10)}),
    st.fixed_dictionaries({"kind": st.just("weibull"), "mean": LONG, "shape": st.floats(0.1, 100)}),
    st.fixed_dictionaries({"kind": st.just("empirical"), "values": st.lists(TIME, min_size=1, max_size=4)}),
)
STAGE = st.fixed_dictionaries(
    {"time": TIME | DISTRIBUTION},
    optional={
        "crews": st.integers(1, 9), "name": st.text("ab c", min_size=9),
        "success": st.sampled_from(["100 %", "0.1 %"]), "silent": st.sampled_from(["0 %", "9.5 %"]),
    },
)  # fmt: skip
OVERHEADS = {"network_overhead": SHARE, "memory_overhead": SHARE, "spare": st.sampled_from(["hot", "cold"])}
RECOVERY = st.fixed_dictionaries(
    {"kind": st.sampled_from(["checkpoint-restart", "fault-tolerant"]), "checkpoint_every": LONG},
    optional={"failover": TIME, "restore": TIME, "checkpoint_write": TIME, **OVERHEADS},
)
JOB = st.fixed_dictionaries(
    {"gpus": st.integers(1, 500), "recovery": RECOVERY},
    optional={
        "count": st.integers(1, 5), "priority": st.integers(-(10**6), 10**6), "submit": TIME,
        "work": quantity("GPU-s", "GPU-h", "GPU-d", "GPU-y", above_zero=True),
    },
)  # fmt: skip
PART = st.sampled_from(["gpu", "node", "tray", "rack"])
MEAN = quantity("mo", "y", above_zero=True)
LAW = st.one_of(
    st.fixed_dictionaries({"kind": st.just("exponential"), "mean": MEAN}),
    st.fixed_dictionaries({"kind": st.just("lognormal"), "mean": MEAN, "sigma": st.floats(0.01, 10)}),
    st.fixed_dictionaries({"kind": st.just("weibull"), "mean": MEAN, "shape": st.floats(0.1, 100)}),
)
MIXTURE = st.builds(
    lambda first, second: {
        "kind": "mixture", "parts": [{"share": "12.5 %", "life": first}, {"share": "87.5 %", "life": second}]
    }, LAW, LAW,
)  # fmt: skip
TRACE = st.fixed_dictionaries(
    {
        "kind": st.just("trace"), "at": st.lists(quantity("h"), min_size=1, max_size=3), "span": st.just("10001 d"),
        "start": st.sampled_from(["fixed", "random"]), "repeat": st.booleans(),
    },
)  # fmt: skip
LEMONS = st.fixed_dictionaries(
    {"fraction": SHARE, "factor": st.floats(1, 1e6)},
    optional={"retire_after": st.just(3)},
).map(lambda lemons: lemons | ({"window": "30 d", "replace": "0 s"} if "retire_after" in lemons else {}))
EVERY = {
    "blast": st.integers(1, 5_000) | st.just("rack"), "detect": TIME, "repair": TIME | DISTRIBUTION | STAGE,
    "exposure": st.sampled_from(["always", "running"]), "requalify": TIME, "returns": st.sampled_from(["pool", "job"]),
}  # fmt: skip
BURST = st.fixed_dictionaries({"size": st.floats(1, 10_000), "within": quantity("min", "d")})
HAZARD = st.one_of(
    st.fixed_dictionaries(
        {"component": PART, "mtbf": MEAN}, optional=EVERY | {"burst": BURST, "wrong_node": SHARE, "lemons": LEMONS}
    ),
    st.fixed_dictionaries({"component": PART, "mtbf": LAW | MIXTURE}, optional=EVERY | {"lemons": LEMONS}),
    st.fixed_dictionaries(
        {"component": PART, "mtbf": MEAN | LAW, "effect": st.sampled_from(["kill", "corrupt"])}, optional=EVERY
    ),
    st.fixed_dictionaries(
        {
            "component": PART, "mtbf": LAW, "effect": st.sampled_from(["straggle", "degrade"]),
            "keeps": st.floats(0.1, 99.9).map(lambda x: f"{x!r} %"),
        },
        optional=EVERY,
    ),
    st.fixed_dictionaries({"component": PART, "mtbf": TRACE}, optional=EVERY),
)  # fmt: skip
MAINTENANCE = st.fixed_dictionaries(
    {
        "component": PART,
        "every": st.integers(100, 5_000).map("{} d".format),
        "duration": quantity("s", above_zero=True),
    },
    optional={"first": TIME, "drain": quantity("s"), "rolling": st.booleans()},
)
TCO = st.fixed_dictionaries(
    {"gpu_hour": st.floats(0.01, 100).map(lambda x: f"{x!r} USD")},
    optional={
        "term": LONG, "hot_storage": STORAGE, "cold_storage": STORAGE, "network": MONTHLY, "support": SHARE,
        "setup": st.one_of(
            st.floats(0, 1e9).map(lambda x: f"{x!r} USD"),
            st.fixed_dictionaries({}, optional={"idle": TIME, "engineer_months": st.floats(0, 1e6)}),
        ),
    },
)  # fmt: skip
SCENARIO = st.fixed_dictionaries(
    {
        "name": TEXTS.filter(bool),
        "horizon": st.integers(6_000, 10_000).map("{} d".format),
        "cluster": st.fixed_dictionaries(
            {
                "topology": st.sampled_from(["gb300-nvl72", "hgx-h100"]),
                "gpus": st.integers(1_000, 2_000).map(lambda x: 8 * x),
            },
            optional={"spares": st.integers(0, 100)},
        ),
        "jobs": st.lists(JOB, min_size=1, max_size=3),
        "hazards": st.lists(HAZARD, min_size=1, max_size=3),
    },
    optional={
        "description": TEXTS,
        "maintenance": st.lists(MAINTENANCE, max_size=2),
        "seed": st.integers(0, 2**63 - 1),
        "accounting": st.fixed_dictionaries({}, optional={"job_size": st.integers(1, 5_000)}),
        "tco": TCO,
    },
)


def named(tables):
    """Give every job, hazard and maintenance a name of its own."""
    for kind in ("jobs", "hazards", "maintenance"):
        for number, table in enumerate(tables.get(kind, ())):
            table["name"] = f"{kind} {number}"
    return tables


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(SCENARIO.map(named))
def test_what_loads_can_be_saved_and_loaded(tmp_path, tables):
    """load(to_toml(s)) == s, and the fingerprint is a function of the value."""
    scenario = Scenario.model_validate(tables)
    path = tmp_path / "a.toml"
    path.write_text(to_toml(scenario), encoding="utf-8", newline="")
    again = load(path)
    assert again == scenario
    assert sha256(again) == sha256(scenario)
    assert to_toml(again) == to_toml(scenario)


# --- anything else


def load_or_told(path: Path, **changes):
    """Load; if that fails, it fails with lines of text, one per mistake, and with nothing else."""
    problems = []
    try:
        load(path, **changes)
    except ScenarioError as error:
        problems = [*error.problems]
        assert problems, "an error without a problem"
    lines = list(map(str, problems))
    assert all(visible(line) == line and 0 < len(line) < 1_000 for line in lines)
    "\n".join(lines).encode()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
@example(b"\x00")
@example(b"\xff\xfe")
@example(b"x = 0x" + b"f" * 9_000)
@example(b"jobs = [{ recovery = { kind = 0x" + b"f" * 9_000 + b" } }]")
def test_random_bytes_are_told(tmp_path, content):
    """No bytes make a traceback."""
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    load_or_told(path)


FRAGMENTS = st.sampled_from(
    """nan inf -1 0 true [ ] { } [[ ]] " ' ''' . = \\ # 1e999 99999999999999999999 2020-01-01 07:00:00 é '<table>'
    {} [] '' [[]] [{}] {kind="weibull"} {kind="text"} {kind="list"} {kind=3} {time={}} a.b.c [jobs] [[hazards]]
    extends="a.toml" """.split()  # noqa: SIM905 (easier to read and to add to)
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from("cdik"), FRAGMENTS), min_size=1, max_size=6))
def test_a_damaged_file_is_told(tmp_path, damages):
    """Lines lost, doubled, cut, or with another value: the file loads or each mistake is a line."""
    lines = list(LINES)
    for number, how, fragment in damages:
        line = lines[number]
        if how == "c":
            line = line[: len(line) // 2] + fragment
        elif how == "d":
            line = ""
        elif how == "i":
            line = f"{line}\n{line}"
        else:
            line = f"{line.partition('=')[0]} = {fragment}"
        lines[number] = line
    path = tmp_path / "a.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    load_or_told(path)


def paths(value, path=()):
    """The dotted key of every value in tables."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield ".".join((*path, f"{key}"))
        yield from paths(child, (*path, f"{key}"))


KEYS = st.sampled_from(
    [
        *paths(tomllib.loads(TEXT)),
        "tco.setup.idle",
        "hazards.0.repair.time",
        "a.b",
        "jobs.x.gpus",
        "maintenance",
        "jobs.0.work",
        "hazards.0.lemons",
        "cluster.in_rack_spares",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.binary(max_size=3),
    st.sampled_from(["1 h", "5 %", "\ud800"]),
)
WORDS = st.sampled_from(
    ["kind", "time", "mean", "gpus", "name", "component", "crews", "x", "<exponential>", "\ud800", "a\nb"]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
@example({"cluster.topology": "\0.toml"})
@example({"cluster": {"\ud800": 1}})
def test_any_value_under_any_key_is_told(changes):
    """Overrides with values of any type load or are told, line by line."""
    load_or_told(GOLD, **changes)


@settings(max_examples=300)
@given(st.lists(st.text(max_size=30) | st.builds("{}={}".format, KEYS, st.text(max_size=10)), max_size=3))
def test_any_set_is_told(texts):
    """Any text after --set loads or is told."""
    load_or_told(GOLD, set=texts)
