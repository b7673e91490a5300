"""Published figures hold, known wrong models do not, and docs/validation.md and README.md show what was found."""

import re
from dataclasses import replace

import pytest

from tests.validation import __main__ as validate
from tests.validation import page
from tests.validation.registry import RegistryError, number, sections
from tests.validation.roads import Found, ask, field_file, objections, of_each_run, runs, scenario

SECTIONS = sections()
ANCHORS = {each.id: each for section in SECTIONS for each in section.anchor if each.label != "declined"}
CONTROLS = {each.id: each for each in page.controls(SECTIONS)}
PLAIN = sorted(name for name, each in ANCHORS.items() if not each.needs)
PAGE = page.PAGE.read_text(encoding="utf-8")
DECLINED = """
title = "t"
about = "a"
[[anchor]]
id = "one"
about = "b"
source = "s 2026"
label = "declined"
published = "7"
reason = "r"
"""


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_a_published_figure_holds(name: str) -> None:
    """Formulas, theory and simulations; the page shows what they give, digit for digit."""
    anchor = ANCHORS[name]
    found = ask(anchor)
    assert found is not None
    assert objections(anchor, found) == []
    assert page.row(anchor, found) in PAGE.splitlines()


@pytest.mark.parametrize("name", sorted(CONTROLS))
def test_a_wrong_model_is_refused(name: str) -> None:
    """An anchor asked with one thing wrong does not hold: its tolerance is able to fail."""
    wrong = CONTROLS[name].wrong(ANCHORS[CONTROLS[name].of])
    found = ask(wrong)
    if found is None:
        pytest.skip(f"needs {wrong.needs}")
    assert objections(wrong, found)


@pytest.mark.parametrize("name", [name for name, each in ANCHORS.items() if each.needs])
def test_a_figure_of_field_data_holds_where_the_data_are(name: str) -> None:
    """The log of Los Alamos does not come with dcsim."""
    anchor = ANCHORS[name]
    if field_file(anchor.needs) is None:
        pytest.skip(f"needs {anchor.needs}")
    found = ask(anchor)
    assert found is not None
    assert objections(anchor, found) == []


def test_several_wrong_models_are_of_the_field_and_of_simulations() -> None:
    """At least two known wrong models are simulated ones, and every one is of an anchor that is run."""
    assert sum(ANCHORS[each.of].road == "simulation" for each in CONTROLS.values()) >= 2
    assert all(each.of in ANCHORS for each in CONTROLS.values())


# --- tolerances -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ANCHORS))
def test_a_tolerance_can_fail(name: str) -> None:
    """A value at a bound is accepted, one beyond it is not, and neither is one whose interval is too wide."""
    anchor = ANCHORS[name]
    low, high = anchor.bounds
    step = 1e-3 * (anchor.within or 1e-3 * min(abs(low), abs(high)))
    for bound, beyond in ((low, low - step), (high, high + step)):
        if abs(bound) < float("inf"):
            inside = bound + step if bound == low else bound - step
            assert objections(anchor, Found(inside)) == []
            assert objections(anchor, Found(beyond))
            wide = Found(inside, 10 * (anchor.within or abs(bound)))
            assert objections(anchor, wide)


def test_a_two_sided_bound_holds_the_whole_interval() -> None:
    """1.9 ± 0.2 crashes a month are not within 1 to 2."""
    anchor = ANCHORS["hpn-one-port"]
    assert objections(anchor, Found(1.9, 0.05)) == []
    assert objections(anchor, Found(1.9, 0.2))
    assert objections(anchor, Found(1.1, 0.2))


# --- the registry -----------------------------------------------------------------------------------------------------


def test_every_scenario_of_an_anchor_is_there() -> None:
    """Each loads with its changes, and each simulated figure is one of its runs."""
    for anchor in [*ANCHORS.values(), *(each.wrong(ANCHORS[each.of]) for each in CONTROLS.values())]:
        if anchor.scenario:
            jobs = {job.name for job in scenario(anchor.scenario, anchor.set).jobs}
            kind, _, job = anchor.figure.partition(" ")
            assert kind not in ("interruptions", "ETTR", "finish") or job in jobs, anchor.id


def test_labels_are_all_used_and_half_of_the_simulations_predict() -> None:
    """Every label has an anchor; half of what is simulated was measured or simulated elsewhere."""
    labels = [each.label for section in SECTIONS for each in section.anchor]
    assert set(labels) == set(page.LABELS)
    simulated = [each.label for each in ANCHORS.values() if each.road == "simulation"]
    assert simulated.count("emergent") >= len(simulated) / 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (DECLINED.replace('reason = "r"', ""), "says what was published, and its reason"),
        (DECLINED + 'expected = 7.0\nwithin = 1.0\nwhy = "w"\n', "a declined anchor is not run"),
        (DECLINED.replace("s 2026", "somewhere"), "source: String should match"),
        (DECLINED.replace('label = "declined"', 'label = "sanity"'), "road: missing"),
        (DECLINED + DECLINED[DECLINED.index("[[anchor]]") :], "one: stands twice"),
        (DECLINED + '[[control]]\nid = "two"\nof = "one"\nabout = "c"\n', "two: of one: no anchor that is run"),
        (DECLINED + "colour = 1\n", "colour: Extra inputs"),
        (
            DECLINED.replace(
                'label = "declined"', 'label = "calibrated"\nroad = "formula"\nwhy = "w"\nat_least = "1 +"'
            ),
            "found '1 +'; allowed: arithmetic",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told(tmp_path, text: str, why: str) -> None:
    """One line with the file, the key and what is wrong."""
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(RegistryError, match=re.escape(why)):
        sections(tmp_path)


def test_arithmetic_is_read_and_nothing_else() -> None:
    """Numbers with + - * / ** and brackets; names and calls are refused."""
    assert number("2 * (1 + 3) / 4 ** 2 - -1") == 1.5
    assert number(7) == 7
    for text in ("a + 1", "abs(1)", "1 if 1 else 2", "'a' * 3"):
        with pytest.raises(ValueError, match="allowed"):
            number(text)


def test_an_unknown_figure_is_refused() -> None:
    """Of a run there are interruptions, ETTR and finish of a job, and failures."""
    with pytest.raises(ValueError, match="figure: found colour pretrain"):
        of_each_run(runs("pretrain-5184/gold", (), 2), "colour pretrain")


# --- the pages --------------------------------------------------------------------------------------------------------


def test_the_page_has_every_anchor_and_what_it_says() -> None:
    """Every cell but the found one is the registry's; no row is left over."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and "(`" in line]
    shown = {re.search(r"\(`([a-z0-9-]+)`\) \|", line)[1]: line for line in lines}
    declined = {each.id for section in SECTIONS for each in section.anchor if each.label == "declined"}
    assert set(shown) == set(ANCHORS) | declined | set(CONTROLS)
    for name, anchor in ANCHORS.items():
        cells, ours = shown[name].split(" | "), page.row(anchor, Found(0.0)).split(" | ")
        assert [*cells[:2], *cells[3:]] == [*ours[:2], *ours[3:]]
        assert cells[2].strip()
    assert page.counted(SECTIONS) in PAGE


def test_the_page_is_what_would_be_written() -> None:
    """Around the found cells, the text is what scripts/validate makes."""
    answers = dict.fromkeys([*ANCHORS, *CONTROLS], Found(0.0))
    made = page.page(SECTIONS, answers, validate.EXHAUSTIVE).splitlines()
    plain = [line for line in made if not line.startswith("|")]
    assert plain == [line for line in PAGE.splitlines() if not line.startswith("|")]


def test_rows_whose_data_are_missing_stay() -> None:
    """Without field data the page keeps what was found with them."""
    section = next(each for each in SECTIONS if any(anchor.needs for anchor in each.anchor))
    answers = {each.id: None if each.needs else Found(0.0) for each in section.anchor}
    lines = list(page.table(section, answers, PAGE))
    kept = [line for line in lines if any(f"(`{each.id}`)" in line for each in section.anchor if each.needs)]
    assert kept
    assert all(line in PAGE.splitlines() for line in kept)


def test_readme_shows_the_page() -> None:
    """README's table has the headlines, with the figures of the page."""
    block = page.README.read_text(encoding="utf-8").partition(page.BEGIN)[2].partition(page.END)[0]
    rows = [line.split(" | ") for line in block.splitlines()[3:]]
    headlines = [each for each in ANCHORS.values() if each.headline]
    assert [row[0].removeprefix("| ") for row in rows] == [each.headline for each in headlines]
    for row, anchor in zip(rows, headlines, strict=True):
        (line,) = [line for line in PAGE.splitlines() if f"(`{anchor.id}`) |" in line]
        assert row[1:3] == line.split(" | ")[1:3]


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_names_what_holds_and_what_is_refused(capsys) -> None:
    """An anchor and a wrong model by name: nothing is written."""
    before = page.PAGE.read_bytes()
    assert validate.main(["daly-6-h", "one-machine"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("holds    daly-6-h: 57 min, published 57 min")
    assert told[1].startswith("refused  one-machine: 24.2 h")
    assert page.PAGE.read_bytes() == before


def test_the_command_fails_with_an_anchor_that_fails(monkeypatch, capsys) -> None:
    """A figure that is not met, and a wrong model that is accepted, exit with 1."""
    (section,) = [each for each in SECTIONS if any(anchor.id == "daly-6-h" for anchor in each.anchor)]
    anchors = tuple(
        each.model_copy(update={"expected": 58.0} if each.id == "daly-6-h" else {}) for each in section.anchor
    )
    loose = tuple(
        each.model_copy(update={"within": 100.0} if each.id == "graphlab-3-h" else {}) for each in section.anchor
    )
    for changed, name in ((anchors, "daly-6-h"), (loose, "one-machine")):
        monkeypatch.setattr(
            validate, "sections", lambda changed=changed: (section.model_copy(update={"anchor": changed}),)
        )
        assert validate.main([name]) == 1
        assert capsys.readouterr().out.startswith(f"FAILED   {name}")


def test_the_command_refuses_unknown_names(capsys) -> None:
    """One line for each, with the nearest name."""
    assert validate.main(["nobody", "tokens-cots"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "scripts/validate: found nobody; allowed: the names in docs/validation.md"
    assert second.endswith('docs/validation.md; did you mean "tokens-cost"?')


def test_a_figure_without_digits_has_its_interval_in_two() -> None:
    """The interval decides how many digits are shown."""
    anchor = ANCHORS["airesim-hours"]
    assert page.shown(anchor, Found(9868.4, 17.6)) == "9,868 ± 18 h"
    assert page.shown(anchor, replace(Found(9868.44), half=0.52)) == "9,868.4 ± 0.5 h"
