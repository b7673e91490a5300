"""The JSON Schema that editors use: it accepts what loads and refuses what does not, without running dcsim."""

import copy
import json
import re
import tomllib

import jsonschema
import pytest

from dcsim.recovery import STRATEGIES
from dcsim.scenario import json_schema, load, to_toml
from dcsim.shipped import shipped_files

SHIPPED = {name: tomllib.loads(path.read_text()) for name, path in shipped_files("scenarios").items()}


@pytest.fixture(scope="module")
def validator():
    """A validator of the draft that the schema names."""
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def gold():
    """The tables of a shipped scenario, to be changed."""
    return copy.deepcopy(SHIPPED["pretrain-5184/gold"])


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_scenarios_are_valid(validator, name):
    """Every shipped scenario, and its resolved form, validates."""
    assert list(validator.iter_errors(SHIPPED[name])) == []
    assert list(validator.iter_errors(tomllib.loads(to_toml(load(name))))) == []


def put(tables, path, value):
    """Set a value at a path of keys and indices."""
    *parents, last = path
    for key in parents:
        tables = tables[key]
    tables[last] = value


REPAIRS = [
    {"kind": "fixed", "time": "1 h"},
    {"kind": "lognormal", "mean": "1 h", "sigma": 0.5},
    {"kind": "empirical", "values": ["1 h", "1-00:00:00"]},
    {"time": "1 h"},
    {"time": {"kind": "weibull", "mean": "1 h", "shape": 2}, "crews": 2, "name": "technician"},
    [{"time": "1 h", "crews": 2}],
]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((("hazards", 0, "repair"), repair) for repair in REPAIRS),
        (("hazards", 0, "mtbf"), {"kind": "exponential", "mean": "1e6 h"}),
        (("hazards", 0, "blast"), "rack"),
        (("hazards", 0, "component"), "tray"),
        (("cluster", "topology"), "topologies/mine.toml"),
        (
            ("cluster", "topology"),
            {"name": "x", "description": "", "node": {"gpus": 4}, "rack": {"nodes": 2}, "nvlink": {"domain": "node"}},
        ),
        (("jobs", 0, "recovery"), {"kind": "checkpoint-restart", "checkpoint_every": "1-00:00:00", "spare": "cold"}),
        (("tco", "setup"), {"idle": "1 mo", "engineer_months": 2}),
        (("jobs", 0, "work"), "2.1e6 GPU-h"),
        (("cluster", "in_rack_spares"), 2),
        (("maintenance",), []),
        (("maintenance",), [{"name": "x", "component": "tray", "every": "90 d", "duration": "2 h", "rolling": False}]),
        (("horizon",), " +3.6E1mo "),
    ],
)
def test_every_form_is_valid(validator, gold, path, value):
    """Text, tables and lists of one key are alternatives of which exactly one fits."""
    put(gold, path, value)
    assert [error.message for error in validator.iter_errors(gold)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("horizon",), 36),
        (("horizon",), "36 months"),
        (("horizon",), "36"),
        (("horizon",), "36 mo x"),
        (("horizon",), "1-24:00:00"),
        (("seed",), -1),
        (("seed",), 1.5),
        (("sed",), 1),
        (("name",), ""),
        (("cluster", "gpus"), "5184"),
        (("cluster", "gpus"), 0),
        (("cluster", "gpu"), 5184),
        (("cluster", "topology"), 3),
        (("jobs",), []),
        (("jobs",), {"gpus": 1}),
        (("jobs", 0, "recovery"), "hot"),
        (("jobs", 0, "recovery"), {}),
        (("jobs", 0, "recovery", "kind"), "elastic"),
        (("jobs", 0, "recovery"), {"kind": "checkpoint-restart"}),
        (("jobs", 0, "recovery", "failovr"), "5 min"),
        (("jobs", 0, "recovery", "memory_overhead"), 0.05),
        (("hazards", 0, "mtbf"), 25000),
        (("hazards", 0, "mtbf"), {"mean": "25000 h"}),
        (("hazards", 0, "mtbf_range"), ["1 h"]),
        (("hazards", 0, "blast"), "pod"),
        (("hazards", 0, "repair"), {"mean": "1 h"}),
        (("hazards", 0, "repair"), {"kind": "fixed", "time": "1 h", "crews": 2}),
        (("hazards", 0, "repair"), []),
        (("jobs", 0, "work"), "2.1e6 h"),
        (("jobs", 0, "work"), 2.1e6),
        (("cluster", "in_rack_spares"), -1),
        (("maintenance",), [{"name": "x", "component": "tray", "every": "90 d"}]),
        (("maintenance",), [{"name": "x", "component": "pod", "every": "90 d", "duration": "2 h"}]),
        (("maintenance",), {"name": "x", "component": "tray", "every": "90 d", "duration": "2 h"}),
        (("accounting", "mode"), "warm"),
        (("tco", "gpu_hour"), "4 EUR"),
        (("tco", "hot_storage"), {"size": "500 TiB"}),
    ],
)
def test_what_does_not_load_is_not_valid(validator, gold, path, value):
    """A wrong value, an unknown key or a missing one is seen by the editor already."""
    put(gold, path, value)
    assert not validator.is_valid(gold)


@pytest.mark.parametrize("key", ["name", "horizon", "cluster", "jobs", "hazards"])
def test_required_keys_may_come_from_a_base(validator, gold, key):
    """What is required is missed, unless the file extends another one."""
    del gold[key]
    assert not validator.is_valid(gold)
    assert validator.is_valid(gold | {"extends": "base.toml"})


def test_a_file_that_extends_may_hold_parts_of_tables(validator):
    """Tables of such a file are completed by its base; lists are not, so their entries must be complete."""
    parts = {"extends": "base.toml", "cluster": {"spares": 64}, "tco": {"hot_storage": {"size": "1 PiB"}}}
    assert validator.is_valid(parts)
    assert not validator.is_valid({"cluster": {"spares": 64}})
    assert not validator.is_valid(parts | {"cluster": {"spare": 64}})
    assert not validator.is_valid(parts | {"jobs": [{"name": "a"}]})


def nodes(node, path=()):
    """Every part of the schema that is a table, with its path."""
    if isinstance(node, dict):
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from nodes(child, (*path, key))


def test_every_key_is_described():
    """Whatever a file may hold has a sentence that an editor can show."""
    keys = {path: node for path, node in nodes(json_schema()) if path[-2:-1] == ("properties",) and "else" not in path}
    assert len(keys) > 50
    kinds = {path for path in keys if path[-1] == "kind"}  # their model's sentence says it
    assert [path for path, node in keys.items() if "description" not in node and path not in kinds] == []


def test_every_default_and_example_is_valid():
    """Defaults carry their units, and examples fit their own pattern."""
    schema = json_schema()
    shown = [
        (node, value)
        for _, node in nodes(schema)
        for value in (*node.get("examples", ()), *([node["default"]] if "default" in node else ()))
        if "type" in node or "oneOf" in node or "$ref" in node
    ]
    assert len(shown) > 50
    for node, value in shown:
        assert jsonschema.Draft202012Validator({**node, "$defs": schema["$defs"]}).is_valid(value), node


def test_nothing_is_null_and_no_key_is_left_open():
    """TOML has no null, and unknown keys are errors in every table."""
    text = json.dumps(json_schema())
    assert "null" not in text
    tables = [node for _, node in nodes(json_schema()) if node.get("type") == "object" and "properties" in node]
    assert len(tables) > 10
    assert all(node["additionalProperties"] is False for node in tables)


def test_units_are_in_the_schema():
    """Quantities say which unit they become, and their patterns are plain enough for any engine."""
    patterns = {node["pattern"]: node["x-unit"] for _, node in nodes(json_schema()) if "x-unit" in node}
    money = {"USD", "USD/mo", "USD/GiB/mo", "USD/kWh", "USD/Mtok", "USD/kW/mo", "USD/W"}
    assert set(patterns.values()) == {"ms", "GPU-ms", "1", "GiB", "W", "GB/s", "m", "tok", "tok/s"} | money
    assert all(re.compile(pattern) and "\\-" not in pattern for pattern in patterns)


def test_every_strategy_is_an_alternative():
    """The kinds of recovery are read from the registry, so that a new file is in the schema by being there."""
    schema = json_schema()
    forms = schema["$defs"]["Job"]["properties"]["recovery"]["oneOf"]
    kinds = [schema["$defs"][form["$ref"].rpartition("/")[2]]["properties"]["kind"]["const"] for form in forms]
    assert kinds == list(STRATEGIES)
