"""README.md and docs/: every block is run in its order and prints what the page shows; pictures and links exist."""

import os
import re
from pathlib import Path

import pytest

from dcsim import estimate, load
from scripts import readme

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
STEPS = {page.relative_to(ROOT).as_posix(): readme.steps(page) for page in readme.pages()}
SHOWN = [
    pytest.param(name, number, id=f"{name}-{number}", marks=pytest.mark.xdist_group(name))
    for name, steps in STEPS.items()
    for number, step in enumerate(steps)
    if step.language in ("console", "python")
]
"""Every step that prints; one worker runs a page."""


class Played:
    """A page whose steps are run in order, each once, when they are first asked for."""

    def __init__(self, name: str, folder: Path, player: readme.Player) -> None:
        self.steps, self.tour = STEPS[name], readme.Tour(folder, player)
        self.printed: list[list[str]] = []

    def lines(self, number: int) -> list[str]:
        """Return what a step prints: later steps need the files of earlier ones."""
        while len(self.printed) <= number:
            self.printed.append(self.tour.run(self.steps[len(self.printed)]))
        return self.printed[number]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, player: readme.Player) -> dict[str, Played]:
    """Give the pages, none of which has begun."""
    return {name: Played(name, tmp_path_factory.mktemp("page"), player) for name in STEPS}


@pytest.mark.parametrize(("name", "number"), SHOWN)
def test_step(name: str, number: int, played: dict[str, Played]) -> None:
    """Each step prints the lines that its page shows, to the last digit."""
    step = STEPS[name][number]
    printed = played[name].lines(number)
    assert readme.matches(step.shown, printed), f"{step.source}\n" + "\n".join(printed)


def test_no_step_is_run_twice_in_a_page() -> None:
    """What a page runs differs from step to step, and README runs the first command of all."""
    for steps in STEPS.values():
        sources = [step.source for step in steps]
        assert len(sources) == len(set(sources))
    assert STEPS["README.md"][0].source == "scripts/dcsim compare scenarios/pretrain-5184/*.toml"


def test_readme_is_short_and_begins_with_the_two_commands() -> None:
    """README has at most 250 lines; its first block holds the two commands, and both are executable files."""
    assert README.count("\n") <= 250
    first = re.search(r"^```\w+\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert first is not None
    lines = [line.split("#")[0].split() for line in first.group(1).splitlines()]
    assert lines == [["scripts/dcsim", "compare", "scenarios/pretrain-5184/*.toml"], ["scripts/test"]]
    assert all(os.access(ROOT / line[0], os.X_OK) for line in lines)


@pytest.mark.parametrize(
    "word", ["useful GPU-hour", "goodput", "MTBF", "percentage point", "run", "checkpoint", "paid"]
)
def test_words_of_the_first_screen_are_explained(word: str) -> None:
    """README's table of words follows its first screen and has each of them."""
    table = README[README.index("| word | meaning |") : README.index("## 2.")]
    assert re.search(rf"^\| [^|]*\b{word}\b|\*{word}\*", table, re.MULTILINE | re.IGNORECASE)


def test_every_picture_is_there_small_and_described() -> None:
    """Each picture is made by scripts/pictures, takes at most 150 kB and has a sentence for who cannot see it."""
    made = (ROOT / "scripts" / "pictures.py").read_text(encoding="utf-8")
    found = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert len(found) == 3
    for text, name in found:
        assert len(text) > 60
        assert Path(name).parent == Path("docs")
        assert Path(name).name in made
        assert (ROOT / name).stat().st_size <= 150_000
    pictures = {path.name for path in (ROOT / "docs").iterdir() if path.suffix != ".md"}
    assert pictures == {Path(name).name for _, name in found}


def headings(page: Path) -> set[str]:
    """Return the fragments by which the headings of a page are addressed."""
    seen: dict[str, int] = {}
    found = set()
    for line in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-")
        seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
    return found


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files and headings that a page links to are there."""
    for target in re.findall(r"\]\((?!https?:)([^()\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, fragment = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), target
        assert not fragment or fragment in headings(linked), target


def test_every_page_of_docs_is_named_in_readme() -> None:
    """A reader finds each page from README."""
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in README


def test_the_scenarios_shown_load(tmp_path: Path) -> None:
    """The files that docs/scenarios.md shows can be estimated, and their keys are read."""
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    for name, text in readme.FILE.findall(page):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("mine.toml", "real.toml", "plant.toml"):
        assert 0 < estimate(load(tmp_path / name)).accounting.goodput_loss < 1
    plain = load(tmp_path / "plant.toml")
    assert (plain.jobs[0].comm, plain.hazards[0].serves, plain.energisation[0].racks) == (0.2, True, 8)
    real = load(tmp_path / "real.toml")
    assert (real.hazards[0].ages, real.jobs[0].recovery.kind, len(real.maintenance)) == (True, "checkpointless", 1)


def test_the_comparison_can_fail() -> None:
    """A changed digit, a missing line and a further line are all found."""
    assert readme.matches(["a 1", "…", "b"], ["a 1", "x", "y", "b"])
    assert not readme.matches(["a 1", "…", "b"], ["a 2", "b"])
    assert not readme.matches(["a 1", "b"], ["a 1"])
    assert not readme.matches(["a 1"], ["a 1", "b"])


def test_pages_are_refreshed_where_they_differ() -> None:
    """A piece takes the printed lines that resemble it most and keeps its gaps, or is refused."""
    printed = ["A is cheapest: 5 USD,", "in all runs.", "", "Table", "lost, %   6.1", "paid, USD   20", "end"]
    first = ["A is cheapest: 4 USD", "in all 10 runs."]
    assert readme.refreshed([*first, "…", "lost, %  5.2", "…"], printed) == [*printed[:2], "…", "lost, %   6.1", "…"]
    assert readme.refreshed([*first, "…", "ende"], printed) == [*printed[:2], "…", "end"]
    assert readme.refreshed(["ok", "caution: 1 of 2"], ["ok"]) == ["ok"]
    with pytest.raises(ValueError, match="nothing printed resembles"):
        readme.refreshed(["…", "zzzz qqqq", "…"], printed)


def test_a_step_that_is_played_leaves_nothing_to_the_next(player: readme.Player, tmp_path: Path) -> None:
    """What a step prints, where it stands, its exit code and what it raises are told; the next one finds none of it."""
    first = "import dcsim, os, sys\ndcsim.left = os.environ['GIVEN']\nprint(os.getcwd())\nsys.exit(3)"
    assert player.play(tmp_path, {"GIVEN": "1"}, source=first) == (3, f"{tmp_path}\n", "")
    then = "import dcsim, os\nprint(hasattr(dcsim, 'left'), 'GIVEN' in os.environ)\n1 / 0"
    code, out, err = player.play(tmp_path, {}, source=then)
    assert (code, out) == (1, "False False\n")
    assert err.endswith("ZeroDivisionError: division by zero\n")
    assert player.play(tmp_path, {}, arguments=["run", "none.toml"])[:2] == (2, "")
