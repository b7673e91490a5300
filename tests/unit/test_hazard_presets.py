"""Named hazards: what they give, who goes first, where each number is from, and what is wrong with one."""

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.hazards import Hazard
from dcsim.hazards.presets import expanded, hazard_presets, hazard_tables
from dcsim.scenario import ScenarioError, load, read, to_toml
from dcsim.scenario.provenance import origins
from dcsim.wording import visible

FILE = Path(__file__).parents[2] / "dcsim" / "hazards" / "presets.toml"
REQUIRED = {"mtbf": "9000 h", "repair": "3 h"}
"""What some presets leave to the user."""
HEAD = """
name = "named"
horizon = "54 d"
[cluster]
topology = "hgx-h100"
gpus = 16384
[[jobs]]
name = "train"
gpus = 8192
recovery = { kind = "stateless", restore = "5 min" }
"""


def hazard(preset, /, **keys):
    """A hazard of a preset, completed where the preset leaves something out."""
    given = hazard_presets()[preset].keys
    rest = {key: value for key, value in REQUIRED.items() if key not in given}
    return Hazard.model_validate({"preset": preset, **rest, **keys})


@pytest.fixture
def written(tmp_path):
    """Write a scenario with these hazards and return its path."""

    def write(hazards, name="scenario.toml", head=HEAD):
        path = tmp_path / name
        path.write_text(head + hazards)
        return path

    return write


@pytest.mark.parametrize("name", hazard_presets())
def test_a_preset_is_what_its_keys_say(name):
    """It is the hazard with the keys written out; every value but the name has a source."""
    preset = hazard_presets()[name]
    rest = {key: value for key, value in REQUIRED.items() if key not in preset.keys}
    assert hazard(name) == Hazard.model_validate({**preset.keys, **rest})
    assert set(preset.sources) == set(preset.keys) - {"name"} <= set(Hazard.model_fields)
    assert all(source.startswith(("deck", "public (", "assumed")) for source in preset.sources.values())
    assert preset.about


@pytest.mark.parametrize("name", hazard_presets())
def test_every_value_can_be_replaced(name):
    """Keys of the table itself go first, one by one."""
    others = {"name": "x", "component": "rack", "mtbf": "77 h", "blast": 4, "detect": "7 s", "repair": "7 min"}
    others |= {"effect": "corrupt"}
    plain = Hazard.model_validate(others)
    for key in hazard_presets()[name].keys:
        found = hazard(name, **{key: others[key]})
        assert getattr(found, key) == getattr(plain, key)


def test_llama_3_is_all_of_its_causes():
    """18 causes; their counts are those of the table and sum to 419 in 16,384 GPUs, or 2,048 hosts, and 54 days."""
    counts = {}
    for part in hazard_tables()["llama3"].parts:
        found = hazard(part.name)
        components = {"gpu": 16_384, "node": 2_048}[found.component]
        counts[found.name] = components * 54 * 24 * 3_600_000 / found.lifetime.mean_ms
    published = [148, 72, 54, 35, 32, 19, 17, 7, 7, 6, 6, 3, 3, 2, 2, 2, 2, 2]
    assert list(counts.values()) == pytest.approx(published, rel=1e-7)
    assert round(sum(counts.values()), 4) == 419


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("rsc-1", 24_000 / 6.50),
        ("rsc-2", 24_000 / 2.34),
        ("hpn/link", 720 / 0.00057),
        ("hpn/tor", 720 / 0.00051),
        ("delta-h100", 608 * 146 * 24 / 24),
        ("delta-a100", 283_271),
        ("deck-gold", 25_000),
        ("deck-silver", 15_000),
    ],
)
def test_mtbfs_are_what_was_published(name, hours):
    """Computed from failures, components and days, to a hundredth of an hour."""
    assert hazard(name).lifetime.mean_ms / 3_600_000 == pytest.approx(hours, abs=0.006)


def test_no_mtbf_is_typed_where_failures_were_counted():
    """The file holds counts; only a source that publishes a time between failures has one."""
    tables = tomllib.loads(FILE.read_text("utf-8"))
    typed = {
        name for name, table in tables.items() for part in table["hazards"].values() if "value" in part.get("mtbf", {})
    }
    assert typed == {"delta-a100", "deck-gold", "deck-hyperscaler", "deck-silver"}


def test_the_published_mean_and_median_of_repairs():
    """LANL's repairs: a lognormal of mean 355 min with its median at 54 min; its table says that the tail differs."""
    repair = hazard("lanl-repair").stages[0].duration
    assert repair.mean_ms == 355 * 60_000
    assert repair.mean_ms * math.exp(-(repair.sigma**2) / 2) == pytest.approx(54 * 60_000, rel=1e-3)
    assert "tail of the records is heavier" in hazard_tables()["lanl-repair"].about


def test_what_matches_only_a_median_says_so():
    """A drawn repair has a published mean, or a range; a preset with a median alone must say it."""
    for table in hazard_tables().values():
        for part in table.parts:
            law = part.keys.get("repair")
            if isinstance(law, dict):
                source = part.sources["repair"]
                ranged = law["kind"] == "uniform" and " to " in source
                assert ranged or "mean " in source or "only the median" in table.about
                assert "assumed" in source


def test_a_name_stands_for_all_hazards_of_its_table(written):
    """Each is an entry of its own with the keys beside the preset; what is saved names no preset."""
    path = written('[[hazards]]\npreset = "llama3"\ndetect = "2 min"\nrepair = "1 h"\n')
    scenario = load(path)
    assert len(scenario.hazards) == 18
    assert {each.detect for each in scenario.hazards} == {120_000}
    killed = {each.name for each in scenario.hazards if each.effect == "kill"}
    assert killed == {"software", "nccl-watchdog", "dependency"}
    assert {each.repair for each in scenario.hazards if each.name in killed} == {0}  # nothing to repair
    assert {each.repair for each in scenario.hazards if each.name not in killed} == {3_600_000}
    path.write_text(to_toml(scenario))
    assert "preset" not in path.read_text()
    assert load(path) == scenario


def test_one_of_all_can_be_changed(written):
    """Overrides find the hazards of a preset by their names; tables in Python do the same."""
    path = written('[[hazards]]\npreset = "llama3"\nrepair = "1 h"\n')
    scenario = load(path, set=["hazards.gpu.mtbf=9000 h", "hazards.nic.repair=2 h"])
    found = {each.name: each for each in scenario.hazards}
    assert found["gpu"].mtbf == 9000 * 3_600_000
    assert found["nic"].repair == 2 * 3_600_000
    assert found["hbm3"] == load(path).hazards[1]
    tables = {**tomllib.loads(HEAD), "hazards": [{"preset": "llama3", "repair": "1 h"}]}
    assert read(tables).hazards == load(path).hazards


def test_hazards_before_and_after_keep_their_places(written):
    """Lines of errors are right around a preset that stands for several hazards."""
    before = '[[hazards]]\nname = "first"\ncomponent = "rack"\nmtbf = "9000 h"\n'
    after = '[[hazards]]\nname = "last"\ncomponent = "rack"\nmtbf = 3\n'
    path = written(f'{before}[[hazards]]\npreset = "hpn"\nrepair = "1 h"\n{after}')
    with pytest.raises(ScenarioError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("hazards.last.mtbf", len(path.read_text().splitlines()))
    path.write_text(path.read_text().replace("mtbf = 3", 'mtbf = "9000 h"'))
    assert [each.name for each in load(path).hazards] == ["first", "link", "tor", "last"]


def test_every_number_says_where_it_is_from(written):
    """A value of a preset names it and its source, one beside it the file, one on the command line that."""
    hazards = '[[hazards]]\npreset = "llama3"\ndetect = "2 min"   # assumed: ours\nrepair = "1 h"\n'
    path = written(hazards + '[[hazards]]\npreset = "deck-gold"\nname = "deck"\nmtbf = "9000 h"  # measured\n')
    changes = ["hazards.ssd.repair=3 h", "hazards.cpu.preset=rsc-1"]
    found = origins(load(path, set=changes), path, changes)
    assert found["hazards.hbm3.mtbf"] == "preset llama3/hbm3: public (Llama 3), 72 failures of 16,384 in 54 d"
    assert found["hazards.hbm3.detect"] == "assumed: ours"
    assert found["hazards.ssd.repair"] == "--set"
    assert found["hazards.cpu.mtbf"].startswith("preset rsc-1: public (RSC), 6.5 failures of 1,000 in 1 d")
    assert found["hazards.deck.mtbf"] == "measured"
    assert found["hazards.deck.blast"] == "preset deck-gold: deck"
    assert found["hazards.hbm3.coverage"].startswith("default")


@pytest.mark.parametrize(
    ("table", "path", "text"),
    [
        ({"preset": "lama3"}, "preset", "found 'lama3'; allowed: llama3, rsc-1, "),
        ({"preset": "lama3"}, "preset", 'did you mean "llama3"?'),
        ({"preset": "llama3/gpus"}, "preset", 'did you mean "llama3/gpu"?'),
        ({"preset": "llama3"}, "preset", "which stands for several hazards; allowed here: llama3/gpu, "),
        ({"preset": 3}, "preset", "found 3; allowed: llama3"),
        ({"preset": "rsc-1"}, "repair", "missing; required (the preset's source does not say how long one takes)"),
    ],
)
def test_what_does_not_fit_is_one_line(table, path, text):
    """A mistake is one error with its path, what was found, and what is allowed."""
    with pytest.raises(ValidationError) as caught:
        Hazard.model_validate(table)
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == path
    assert text in error["msg"]


def test_a_mistake_beside_a_preset_is_told_once(written):
    """Eighteen hazards share one table of the file, so they share its mistakes; their own are told one by one."""
    path = written('[[hazards]]\npreset = "llama3"\ndetect = 2\nrepair = "1 h"\n')
    with pytest.raises(ScenarioError) as caught:
        load(path, set=["hazards.hbm3.effect=dies", "hazards.sram.effect=dies"])
    line = HEAD.count("\n") + 3
    told = sorted(str(each) for each in caught.value.problems)
    assert len(told) == 3
    assert "hazards.hbm3.effect: found 'dies'" in told[0]
    assert "hazards.sram.effect: found 'dies'" in told[1]
    assert f":{line}: hazards.gpu.detect: found 2; allowed: " in told[2]


def test_a_rate_without_a_repair_is_asked_for_once(written):
    """Most sources publish rates only, and a repair of no time would be an answer that nobody gave."""
    with pytest.raises(ScenarioError) as caught:
        load(written('[[hazards]]\npreset = "llama3"\n'))
    (problem,) = caught.value.problems
    assert problem.path == "hazards.gpu.repair"


def test_what_is_no_preset_is_left_alone():
    """Entries without a preset, and with one that is not known, are read as they stand."""
    for entry in ({"component": "gpu"}, {"preset": "nothing"}, {"preset": 3}, "text", None):
        assert expanded(entry) == [entry]


def test_check_lists_where_values_are_from(written):
    """`dcsim check --origins` names the preset and its source of each value, and leaves defaults out."""
    from click.testing import CliRunner

    from dcsim.cli.files import check_command

    path = written('[[hazards]]\npreset = "rsc-1"\nrepair = "1 h"  # assumed: ours\n')
    told = CliRunner().invoke(check_command, [str(path), "--origins", "--set", "hazards.node.detect=1 min"]).output
    assert f"{path}: ok\n" in told
    lines = told.splitlines()
    assert "  hazards.node.component = node: preset rsc-1: public (RSC: a node of 8 GPUs)" in lines
    assert "  hazards.node.repair = 1 h: assumed: ours" in lines
    assert "  hazards.node.detect = 1 min: --set" in lines
    assert "default" not in told
    plain = CliRunner().invoke(check_command, [str(path)]).output
    assert "preset" not in plain


def test_another_preset_takes_the_place_of_the_first(written):
    """Of a scenario that is loaded, as a sweep has it: what the new preset gives is replaced, all else stays."""
    one = load(written('[[hazards]]\npreset = "rsc-1"\nrepair = "3 h"\ndetect = "1 min"\n'))
    two = load(written('[[hazards]]\npreset = "rsc-2"\nrepair = "3 h"\ndetect = "1 min"\n'))
    assert one != two
    assert read(one, **{"hazards.node.preset": "rsc-2"}) == two
    given = read(one, **{"hazards.node.mtbf": "77 h", "hazards.node.preset": "rsc-2"})
    assert given.hazards[0].mtbf == 77 * 3_600_000
    killed = read(one, **{"hazards.node.preset": "llama3/software"})
    assert killed.hazards[0].effect == "kill"
    assert read(killed, **{"hazards.node.preset": "rsc-1"}) == one
    with pytest.raises(ScenarioError, match=r"found 'rsc-3'; allowed: .*did you mean \"rsc-"):
        read(one, **{"hazards.node.preset": "rsc-3"})


def test_a_misspelt_preset_key_is_named(written):
    """`prset` is near `preset`, though no model has that field."""
    with pytest.raises(ScenarioError, match=r'unknown key; allowed: .*, preset; did you mean "preset"'):
        load(written('[[hazards]]\nprset = "rsc-1"\ncomponent = "gpu"\nmtbf = "9000 h"\n'))


@pytest.mark.parametrize("tier", ["gold", "hyperscaler", "silver"])
def test_the_decks_tiers_are_those_of_the_shipped_offers(tier):
    """The preset says what the scenario of the same tier says; its published range of the MTBF is left out."""
    (shipped,) = load(f"pretrain-5184/{tier}").hazards
    assert hazard(f"deck-{tier}") == shipped.model_copy(update={"mtbf_range": None})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from([*hazard_tables(), *hazard_presets(), "llama3/", "/", "llama3/gpu/gpu", ""]) | VALUES
OWN = st.dictionaries(
    st.sampled_from(["name", "component", "mtbf", "detect", "repair", "effect", "x"]), VALUES, max_size=3
)


@given(
    entries=st.lists(st.builds(lambda name, own: {**own, "preset": name}, NAMES, OWN) | VALUES, max_size=4),
    change=st.none() | st.tuples(st.sampled_from(["0", "gpu", "node", "9"]), NAMES),
)
@settings(max_examples=150, deadline=None)
def test_whatever_names_a_preset_loads_or_says_why(entries, change):
    """Any value in the place of a preset, of the keys beside it, or of another preset: lines, never a traceback."""
    tables = {**tomllib.loads(HEAD), "hazards": entries}
    told = []
    try:
        scenario = read(tables)
        read(scenario, **({} if change is None else {f"hazards.{change[0]}.preset": change[1]}))
    except ScenarioError as error:
        told = list(map(str, error.problems))
    assert told == list(map(visible, told))
