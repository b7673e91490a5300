"""docs/validation.md and the table of README.md, from the registry and what dcsim says of its anchors."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.validation.registry import Anchor, Control, Question, Section
from tests.validation.roads import FIELD_DATA, SCENARIOS, Found, allowed, shown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- scripts/validate -->", "<!-- end of what scripts/validate writes -->"
LABELS = {
    "calibrated": "an input was set from this figure, so meeting it proves arithmetic only",
    "emergent": "measured in the field, or simulated by others: a prediction, for which no input was set from it",
    "sanity": "computed by others with a formula from published inputs; dcsim computes or simulates the same",
    "declined": "not run: the figure is an input, or does not follow from what was published with it",
}
Answers = Mapping[str, Found | None]
"""Anchor or control -> what dcsim says of it; None: a file of field data is missing."""

INTRODUCTION = """\
<!-- Written by scripts/validate from tests/validation/anchors/. Do not edit: a test compares it with them. -->
# Validation: published figures, and what dcsim says of them

{counts}
Each row names its source and how near dcsim must come. `scripts/validate` runs all of them in {minutes} and
exits with 1 if one fails; `scripts/validate ID` runs one, `--exhaustive` takes {exhaustive} times as many runs. Runs
have fixed seeds, so the figures below come out again, digit for digit. Files of field data do not come with
dcsim: `{field_data}` names their folder, and without it their rows stay as they are.

{labels}

A tolerance that nothing can break proves nothing. [Wrong models](#wrong-models) asks the same questions with one thing
wrong on purpose: {controls} must fail, and do.
"""


def escaped(text: str) -> str:
    """Return text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def how(question: Question) -> str:
    """Return how a figure is obtained: the function and its inputs, or the scenario and what is changed."""
    if question.formula:
        inputs = ", ".join(f"{key}={_written(value)}" for key, value in question.inputs.items())
        return f"`{question.formula.rpartition('.')[2]}({inputs})`"
    if not question.scenario:
        return f"{question.figure} of the file"
    own = (SCENARIOS / f"{question.scenario}.toml").is_file()
    place = f"../tests/validation/scenarios/{question.scenario}" if own else f"../scenarios/{question.scenario}"
    changes = "".join(f" `{each}`" for each in question.set)
    return f"{question.figure} of [{question.scenario}]({place}.toml){' with' if changes else ''}{changes}"


def _written(value: object) -> str:
    return str(value).replace("'", "")


def road(anchor: Anchor) -> str:
    """Return by which road, with the runs of a simulation."""
    return f"simulation, {anchor.runs} runs" if anchor.road == "simulation" else str(anchor.road)


def row(anchor: Anchor, found: Found | None) -> str:
    """Return the line of an anchor that is run."""
    cells = (
        f"{anchor.about} (`{anchor.id}`)",
        anchor.printed,
        "" if found is None else shown(anchor, found),
        f"{allowed(anchor)}: {anchor.why}",
        f"{road(anchor)}: {how(anchor)}",
        anchor.label + (f": {anchor.reason}" if anchor.reason else ""),
        anchor.source,
    )
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def table(section: Section, answers: Answers, before: str) -> Iterator[str]:
    """Yield the lines of a section; a row whose data are missing stays as the page has it."""
    yield from (f"## {section.title}", "", " ".join(section.about.split()), "")
    run = [each for each in section.anchor if each.label != "declined"]
    if run:
        yield "| what | published | dcsim | accepted, and why | how | label | source |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
    for anchor in run:
        if anchor.id in answers and answers[anchor.id] is None:
            kept = [line for line in before.splitlines() if f"(`{anchor.id}`)" in line]
            yield kept[0] if kept else row(anchor, None)
        else:
            yield row(anchor, answers[anchor.id])
    declined = [each for each in section.anchor if each.label == "declined"]
    if declined:
        yield from ("", "| declined | published | why | source |", "| --- | --- | --- | --- |")
    for anchor in declined:
        cells = (f"{anchor.about} (`{anchor.id}`)", anchor.printed, anchor.reason, anchor.source)
        yield f"| {' | '.join(escaped(cell) for cell in cells)} |"
    yield ""


def wrong_models(sections: Sequence[Section], answers: Answers, before: str) -> Iterator[str]:
    """Yield the lines about known wrong models; as in ``table``, a row whose data are missing stays."""
    anchors = {each.id: each for section in sections for each in section.anchor}
    yield from (
        "## Wrong models",
        "",
        "Each is one of the anchors above with one thing wrong. It must not be accepted.",
        "",
    )
    yield from ("| what is wrong | of | published | it says | how |", "| --- | --- | --- | --- | --- |")
    for control in controls(sections):
        anchor = anchors[control.of]
        wrong, found = control.wrong(anchor), answers[control.id]
        kept = [line for line in before.splitlines() if f"(`{control.id}`)" in line]
        if found is None and kept:
            yield kept[0]
            continue
        said = "" if found is None else shown(wrong, found)
        cells = (f"{control.about} (`{control.id}`)", f"`{control.of}`", anchor.printed, said, how(wrong))
        yield f"| {' | '.join(escaped(cell) for cell in cells)} |"


def controls(sections: Sequence[Section]) -> list[Control]:
    """Return the known wrong models of all sections."""
    return [each for section in sections for each in section.control]


def page(sections: Sequence[Section], answers: Answers, exhaustive: int) -> str:
    """Return docs/validation.md."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    introduction = INTRODUCTION.format(
        counts=counted(sections),
        minutes="less than a minute",
        exhaustive=exhaustive,
        field_data=FIELD_DATA,
        labels="\n".join(f"- *{label}*: {meaning}." for label, meaning in LABELS.items()),
        controls=len(controls(sections)),
    )
    lines = [line for section in sections for line in table(section, answers, before)]
    return "\n".join([introduction, *lines, *wrong_models(sections, answers, before)]) + "\n"


def counted(sections: Sequence[Section]) -> str:
    """Return how many anchors there are, and of which label."""
    anchors = [each for section in sections for each in section.anchor]
    of = {label: sum(each.label == label for each in anchors) for label in LABELS}
    return (
        f"{len(anchors)} published figures: {of['emergent']} were measured or simulated and are predicted here, "
        f"{of['sanity']} were computed with formulas, {of['calibrated']} were used to set an input and "
        f"{of['declined']} are declined."
    )


def headlines(sections: Sequence[Section], answers: Answers) -> str:
    """Return the table of README.md."""
    lines = ["| | published | dcsim | road, label |", "| --- | --- | --- | --- |"]
    for anchor in (each for section in sections for each in section.anchor if each.headline):
        found = answers[anchor.id]
        assert found is not None, f"{anchor.id}: a headline needs no field data"
        cells = (anchor.headline, anchor.printed, shown(anchor, found), f"{anchor.road}, {anchor.label}")
        lines.append(f"| {' | '.join(escaped(cell) for cell in cells)} |")
    return "\n".join(lines)


def readme(table_of_headlines: str) -> str:
    """Return README.md with the table in its place."""
    text = README.read_text(encoding="utf-8")
    pattern = f"{re.escape(BEGIN)}\n.*?{re.escape(END)}"
    block = f"{BEGIN}\n{table_of_headlines}\n{END}"
    found, count = re.subn(pattern, lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"README.md has no place for the table: {BEGIN}")
    return found
