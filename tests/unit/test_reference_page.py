"""docs/reference.md is what the models say now; every key is told in full, links lead somewhere, examples load."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from dcsim import units
from dcsim.distributions import Distribution
from dcsim.economics.credits import Guarantee
from dcsim.economics.owner import Owner
from dcsim.hazards import AnyLifetime
from dcsim.hazards.recorded import OutageColumns
from dcsim.power import ConversionKeys, SiteKeys
from dcsim.recovery.timetable import Tier
from dcsim.scenario import Scenario, Uncertain, load
from dcsim.scenario.reference import TOPICS, Key, KeyTable, reference
from dcsim.scenario.uncertain import Correlated
from dcsim.topology import load_description
from dcsim.topology.description import NamedOptics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([^\n]*)\n\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
EXAMPLES = re.findall(r"^(?:From \[(.*?)\][^\n]*|Example:)\n\n```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
"""(shipped file or "", TOML)."""
SOURCE = re.compile(r"(deck|primer|assumed)\b|public \(\w")
OWN = {
    "jobs.recovery.tiers": Tier,
    "hazards.mtbf": AnyLifetime,
    "hazards.mtbf.columns": OutageColumns,
    "hazards.repair": Distribution,
    "uncertain.value": dict(Uncertain.model_fields)["value"].annotation,
    "power.site": SiteKeys,
    "power.conversion": ConversionKeys,
    "optics": NamedOptics,
    "correlated": Correlated,
    "owner": Owner,
    "sla.guarantee": Guarantee,
}
"""Header of an example that no shipped file has -> what reads it."""


@pytest.fixture(scope="module")
def script():
    """Load scripts/reference.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("written_reference", ROOT / "scripts" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(script):
    """What is committed is what scripts/reference writes; if this fails, run it and commit it."""
    assert script.page() == PAGE, "run scripts/reference"


def test_check_tells_a_stale_page(script, tmp_path, monkeypatch, capsys):
    """--check changes nothing and exits 1 when the page is old or missing; without it the page is written."""
    monkeypatch.setattr(script, "TARGET", tmp_path / "reference.md")
    assert script.main(["--check"]) == 1
    assert not script.TARGET.exists()
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0
    script.TARGET.write_text(script.TARGET.read_text(encoding="utf-8").replace("25000 h", "26000 h"), encoding="utf-8")
    assert script.main(["--check"]) == 1
    assert "run scripts/reference" in capsys.readouterr().err
    assert script.main(["--chekc"]) == 2


# --- keys -------------------------------------------------------------------------------------------------------------


def lacks(key: Key) -> str:
    """What a key's row would not say: "" if nothing."""
    if len(key.meaning) <= 5:
        return "meaning"
    if not key.type:
        return "type"
    invented = key.default and key.default != "the component"  # a name is no figure
    return "source" if invented and not SOURCE.match(key.source) else ""


@pytest.mark.parametrize("topic", TOPICS)
def test_every_key_is_told_in_full(topic):
    """Each key has a type, a meaning and, with a default, its source; and its row is in its section, in that order."""
    for table in reference(topic).tables:
        assert [(key.name, lacks(key)) for key in table.keys if lacks(key)] == []
        headings = [heading for heading in SECTIONS if heading.strip("`") == table.title]
        assert headings or not table.keys, table.title
        rows = [cells(row) for heading in headings for row in SECTIONS[heading].splitlines() if row.startswith("| `")]
        assert [row[0] for row in rows] == [f"`{key.name}`" for key in table.keys]
        for row, key in zip(rows, table.keys, strict=True):
            assert len(row) == 6
            assert plain(row[5]) == key.meaning
            assert plain(row[4]) == (key.source or "–")
            assert plain(row[1]) == key.type


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (Key("a", "duration", "5 min", "assumed", ""), "meaning"),
        (Key("a", "", "5 min", "assumed", "how long it takes"), "type"),
        (Key("a", "duration", "5 min", "", "how long it takes"), "source"),
        (Key("a", "duration", "5 min", "somebody", "how long it takes"), "source"),
        (Key("a", "duration", "", "", "how long it takes", required=True), ""),
    ],
)
def test_an_untold_key_is_noticed(key, what):
    """A key without a meaning, a type or its default's source makes the test above fail."""
    assert lacks(key) == what


def cells(row: str) -> list[str]:
    """The cells of a table's row; pipes within are escaped."""
    return re.split(r"(?<!\\) \| ", row.removeprefix("| ").removesuffix(" |"))


def plain(cell: str) -> str:
    """A cell without links and escapes."""
    return re.sub(r"\\([|<*_`\[\]])", r"\1", re.sub(r"(?<!\\)\[([^\]\\]*)\]\(#[^)]*\)", r"\1", cell))


def test_units_are_those_that_are_read():
    """Each unit in the table of units is accepted in a quantity of that kind, and each example too."""
    table = PAGE.partition("| quantity |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(table) >= 12
    dimensions = {each.example: each for each in vars(units).values() if isinstance(each, units.Dimension)}
    for row in map(cells, table):
        example = row[2].strip("`").strip('"')
        assert units.parse(example, dimensions[example]) > 0
        for unit in re.findall(r"`(.*?)`", row[1]):
            assert units.parse(f"1 {unit}", dimensions[example]) > 0
    slurm = re.search(r'as Slurm does, `"(.*?)"`', PAGE)[1]
    assert units.parse(slurm, units.DURATION) == ((24 + 12) * 60 + 30) * 60_000


# --- links and examples -----------------------------------------------------------------------------------------------


def test_every_link_leads_somewhere():
    """A fragment is a heading's, as code-hosting pages make them (repeated ones are numbered); a path is a file."""
    found, seen = set(), {}
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE), re.M):
        slug = "".join(sign for sign in heading.lower() if sign.isalnum() or sign in "-_ ").replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
    links = re.findall(r"(?<!\\)\]\(([^)\s]+)\)", PAGE)
    assert len(links) > 100
    for link in links:
        assert (link[1:] in found) if link.startswith("#") else (ROOT / "docs" / link).is_file(), link


def test_every_section_has_an_example():
    """Each table of keys shows how it is written; presets do where a shipped scenario has one."""
    for topic in TOPICS:
        for table in reference(topic).tables:
            heading = next((each for each in SECTIONS if each.strip("`") == table.title), None)
            if heading and table.keys and topic != "presets":
                assert "```toml" in SECTIONS[heading], table.title


@pytest.mark.parametrize("file", sorted({file for file, _ in EXAMPLES if file}))
def test_an_example_from_a_shipped_file_is_in_it(file):
    """The file loads, and each line of the example stands in it, in that order."""
    path = ROOT / file
    assert load_description(path) if file.startswith("topologies/") else load(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    for _, text in (each for each in EXAMPLES if each[0] == file):
        tomllib.loads(text)
        here = 0
        for line in filter(None, text.splitlines()):
            here = lines.index(line, here) + 1


def test_examples_of_models_load():
    """An example that no shipped file has is read by the model that its header stands for."""
    own = [text for file, text in EXAMPLES if not file]
    assert len(own) >= 10
    for text in own:
        header = re.match(r"\[+([\w.]+)\]+\n", text)
        value = tomllib.loads(text[header.end() :])
        assert TypeAdapter(OWN[header[1]]).validate_python(value), header[1]


def test_a_key_that_is_added_makes_the_page_stale(script, monkeypatch):
    """Whoever adds a key or changes a default sees that the page is old."""
    table = KeyTable("[new]", "Something new.", (Key("key", "text", "", "", "what is new"),))
    more = reference("keys")
    monkeypatch.setattr(script, "reference", lambda topic: type(more)(topic, (*reference(topic).tables, table)))
    assert script.page() != PAGE
    assert "| `key` | text | – | – | – | what is new |" in script.page()
    assert Scenario.model_fields["name"].description in PAGE
