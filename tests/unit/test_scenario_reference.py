"""What `dcsim list TOPIC` prints: every kind and key, with type, default, source and meaning, from the models."""

import io
import re

import pytest
from rich.cells import cell_len

from dcsim.hazards import LIFETIMES
from dcsim.recovery import STRATEGIES, Recovery
from dcsim.recovery.presets import presets
from dcsim.report.reference import show_reference
from dcsim.scenario.reference import DISTRIBUTIONS, TOPICS, KeyTable, Reference, reference
from dcsim.scenario.schema import tidy_schema
from dcsim.shipped import shipped_files

SOURCE = re.compile(r"(deck|primer|assumed)\b|public \(\w")
TABLES = [(topic, table) for topic in TOPICS for table in reference(topic).tables]
KEYS = [(topic, table, key) for topic, table in TABLES for key in table.keys]
TYPE = re.compile(
    r"(list of (2 )?)?(duration|MTBF|share|work|size|USD(/GiB|/kWh|/kW|/W|/Mtok)?(/mo)?|text|table( of text)?"
    r"|strategy|lifetime|distribution|(whole )?numbers?( >=? -?[\d,.e+]+)?(, <= [\d,.e+]+)?"
    r"|[a-z0-9][a-z0-9-]*( first)?)s?"
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Answer as a terminal does."""
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Take what the caller's shell says about terminals out of the tests."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def shown(listed, stream=None):
    """Write a topic and return its text."""
    stream = stream or io.StringIO()
    show_reference(listed, stream)
    return stream.getvalue()


def text_of(markup):
    """The words of a text, without colours and layout."""
    return " ".join(re.sub(r"\x1b\[[\d;]*m", "", markup).split())


# --- what is listed


def test_every_model_of_a_scenario_is_listed():
    """Whatever a file may hold is in some topic: each key of each model, with the beginning of its description."""
    listed = {(key.name, key.meaning[:12]) for _, _, key in KEYS}
    schema = tidy_schema()
    models = [schema, *schema["$defs"].values()]
    written = {
        (name, value["description"][:12]) for model in models for name, value in model["properties"].items()
        if name != "kind" and not value["description"].startswith("(")
    }  # fmt: skip
    assert len(written) > 80
    assert written <= listed


@pytest.mark.parametrize(
    ("topic", "title", "kinds"),
    [
        ("strategies", 'kind = "{}"', STRATEGIES),
        ("hazards", 'mtbf.kind = "{}"', LIFETIMES),
        ("distributions", 'kind = "{}"', DISTRIBUTIONS),
        ("presets", 'preset = "{}"', presets()),
        ("topologies", "{}", shipped_files("topologies")),
    ],
)
def test_every_kind_has_a_table(topic, title, kinds):
    """A new file in a family is listed by being there, with a sentence on what it is."""
    tables = {table.title: table for table in reference(topic).tables}
    assert kinds
    assert all(tables[title.format(kind)].about for kind in kinds)


def test_tables_are_named_as_a_file_has_them():
    """Titles are the headers that a scenario file holds, so that they can be searched for and copied."""
    titles = {title for _, table in TABLES for title in table.title.split(", ")}
    expected = {
        "[jobs.recovery]", "[[jobs.recovery.tiers]]", "[[hazards]]", "[hazards.burst]", "[hazards.lemons]",
        "[[hazards.repair]]", "[[hazards.mtbf.parts]]", "[hazards.mtbf.columns]", "[cluster]", "[[jobs]]",
        "[[maintenance]]", "[accounting]", "[tco]", "[tco.cold_storage]", "[tco.setup]",
    }  # fmt: skip
    assert expected <= titles


def test_no_table_is_listed_twice():
    """Each model has one table in one topic; kinds that share a name are of different families."""
    titles = [(topic, table.title) for topic, table in TABLES]
    assert len(titles) == len(set(titles))
    once = [table.title for _, table in TABLES if table.title.startswith("[")]
    assert len(once) == len(set(once))


# --- what is said of a key


@pytest.mark.parametrize(("topic", "table"), [pytest.param(*each, id=f"{each[0]} {each[1].title}") for each in TABLES])
def test_every_key_says_what_it_takes_and_means(topic, table):
    """Type or unit, and meaning, are there for every key; bounds, kinds and units in words that are explained."""
    assert table.about.rstrip(".")
    for key in table.keys:
        assert key.meaning.strip() == key.meaning
        assert len(key.meaning) > 5
        assert "default" not in key.meaning, "the default has its own column"
        assert all(TYPE.fullmatch(part) for part in key.type.split(" | ")), key.type
        assert not (key.required and key.default)


@pytest.mark.parametrize(
    ("topic", "table", "key"),
    [pytest.param(*each, id=f"{each[1].title} {each[2].name}") for each in KEYS if each[2].default],
)
def test_every_default_has_a_source(topic, table, key):
    """A value that a scenario gets without asking is from the deck, the primer, a public source, or assumed."""
    if (table.title, key.name) == ("[[hazards]]", "name"):
        return  # a name is no figure
    assert SOURCE.match(key.source), key.source


def test_told_defaults_are_the_defaults():
    """What a description says in words is what the model does."""
    schema = tidy_schema()
    compared = 0
    for model in [schema, *schema["$defs"].values()]:
        for name, value in model["properties"].items():
            told = re.search(r"\(default ([^:()]*): ", value["description"]) if "description" in value else None
            actual = value.get("default")
            if told is None or isinstance(actual, dict):
                continue
            compared += 1
            said = told[1].replace(",", "")
            actual = f"{actual:g}" if isinstance(actual, float) else str(actual)
            actual = ", ".join(value["default"]) if isinstance(value.get("default"), list) else actual
            assert said.lower() in (actual.lower(), actual.removesuffix(" USD")), name
    assert compared > 40


def test_units_are_those_of_the_types_that_occur():
    """Every quantity in a topic has its units beside it, and nothing else has."""
    assert set(reference("hazards").units) == {"duration", "MTBF", "share"}
    assert reference("distributions").units == {"duration": ["s", "min", "h", "d", "mo", "y"]}
    assert set(reference("keys").units) >= {"work", "size", "share", "duration", "USD", "USD/mo", "USD/GiB/mo"}
    assert reference("keys").units["work"] == ["GPU-s", "GPU-h", "GPU-d", "GPU-y"]


def test_a_strategy_lists_its_own_keys_only():
    """Keys that all kinds share stand once; a kind lists what it adds or takes otherwise, and what it ignores."""
    common, *kinds = reference("strategies").tables
    assert [key.name for key in common.keys] == list(Recovery.model_fields)
    tables = {table.title: table for table in kinds}
    restart, stateless = tables['kind = "checkpoint-restart"'], tables['kind = "stateless"']
    every = next(key for key in restart.keys if key.name == "checkpoint_every")
    assert every.required
    assert "Ignores coverage." in restart.about
    assert "Ignores checkpoint_every, checkpoint_write, coverage." in stateless.about
    assert [key.name for key in stateless.keys] == []
    assert {"group", "shapes", "rejoin", "step"} <= {key.name for key in tables['kind = "elastic"'].keys}


def test_a_preset_lists_its_values_with_their_sources():
    """Each value of a preset stands in the place of the default, with the source that it was taken from."""
    tables = {table.title: table for table in reference("presets").tables}
    for name, preset in presets().items():
        table = tables[f'preset = "{name}"']
        assert {key.name: (key.default, key.source) for key in table.keys} == {
            key: (f"{len(value)} tables" if isinstance(value, list) else str(value), preset.sources[key])
            for key, value in preset.keys.items()
        }
        assert f"Kind: {preset.kind}." in table.about


def test_a_list_of_tables_in_a_preset_is_listed_table_by_table():
    """No value is printed as Python has it; each value of each tier has a source of its own."""
    tables = {table.title: table for table in reference("presets").tables}
    tiers, sources = presets()["tiered-memory"].keys["tiers"], presets()["tiered-memory"].inner["tiers"]
    assert [set(tier) for tier in tiers] == [set(told) for told in sources]
    for number, (tier, told) in enumerate(zip(tiers, sources, strict=True), start=1):
        keys = tables[f'preset = "tiered-memory", tiers {number}'].keys
        assert {key.name: (key.default, key.source) for key in keys} == {
            key: (str(value), told[key]) for key, value in tier.items()
        }
        assert all(SOURCE.match(key.source) for key in keys)
    assert not any("[" in key.default or "{" in key.default for table in tables.values() for key in table.keys)


def test_what_only_files_know_is_listed():
    """``extends``, the base of a topology and an MTBF of optics are no fields of a model, but keys of a file."""
    keys = {(table.title, key.name): key for _, table, key in KEYS}
    assert keys["Top level", "extends"].type == "text"
    assert keys["A topology file of your own", "base"].type == "text"
    assert keys["[[hazards]]", "mtbf"].type == "MTBF | lifetime | optics"


# --- how it looks


@pytest.mark.parametrize("topic", TOPICS)
def test_piped_text_fits_80_columns_and_loses_nothing(topic):
    """No line is wider than 80 columns; every key, type, default, source and meaning is there; no colour, no boxes."""
    text = shown(reference(topic))
    assert max(map(cell_len, text.splitlines())) <= 80
    assert text.isascii()
    words = text_of(text)
    for table in reference(topic).tables:
        assert table.title in words
        for key in table.keys:
            assert f"  {key.name} " in text
            assert key.meaning in words


def test_a_key_is_one_aligned_line_with_its_meaning_below():
    """Columns begin where their headings begin, whatever the table."""
    lines = shown(reference("strategies")).splitlines()
    heads = {line for line in lines if line.split() == ["key", "type", "default", "source"]}
    assert len(heads) == 1
    (head,) = heads
    write = next(number for number, line in enumerate(lines) if line.split()[:1] == ["checkpoint_write"])
    row = lines[write]
    assert [row[head.index(name) :].split("  ")[0] for name in ("type", "default", "source")] == [
        "duration",
        "0 s",
        "assumed",
    ]
    assert lines[write + 1] == "      time for which a write blocks the gang"


def test_a_wide_terminal_gets_one_row_for_each_key(monkeypatch):
    """On 160 columns the meaning has a column of its own; on 80 it stands below, and there is no rule between."""
    monkeypatch.setenv("COLUMNS", "160")
    wide = shown(reference("strategies"), Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    narrow = shown(reference("strategies"), Terminal())
    assert "\x1b[" in wide
    assert "\x1b[" in narrow
    row = next(line for line in wide.splitlines() if "bad_checkpoint" in line)
    assert "probability that a checkpoint cannot be" in row
    assert "─" in wide
    assert "─" not in narrow
    assert max(cell_len(text_of(line)) for line in wide.splitlines()) <= 160


def test_units_are_explained_below():
    """A reader who meets a duration or a share finds its units at the end of the page."""
    last = text_of(shown(reference("strategies"))).rpartition("Units. ")[2]
    assert last == "duration: s, min, h, d, mo, y; share: %. 1 mo = 720 h, 1 y = 8,760 h."
    assert "Units." not in shown(Reference("none", (KeyTable("x", "y", ()),)))
