"""README's tour: every command is run, in its order, and prints what README shows; its pictures are there and small."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dcsim import estimate, load

pytestmark = pytest.mark.xdist_group("readme")  # one worker plays the tour once

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLAYED = re.findall(r"^```(console|sh)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1:]
"""(language, text) of what a reader types, after the first block, whose commands other blocks and tests run."""
SHOWN = [number for number, (language, _) in enumerate(PLAYED) if language == "console"]
COMMAND = re.compile(r"^\$ (.+)$", re.MULTILINE)
ANY_LINES = "…"


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Return (command, lines shown) of a console block."""
    pieces = COMMAND.split(block)
    assert not pieces[0].strip(), "a console block starts with a command"
    return [
        (command, shown.removeprefix("\n").splitlines())
        for command, shown in zip(pieces[1::2], pieces[2::2], strict=True)
    ]


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are the shown ones, in order; a line of … stands for any number of them."""
    pattern = "".join("(?:.*\n)*" if line == ANY_LINES else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in printed)) is not None


def test_the_two_commands_come_first() -> None:
    """The first code block holds the two commands that set everything up, and both are executable files."""
    first = re.search(r"^```\w+\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert first is not None
    lines = [line.split("#")[0].split() for line in first.group(1).splitlines()]
    assert lines == [["scripts/dcsim", "compare", "scenarios/pretrain-5184/*.toml"], ["scripts/test"]]
    assert all(os.access(ROOT / line[0], os.X_OK) for line in lines)


class Tour:
    """A reader's folder with the shipped scenarios, in which blocks are played in README's order, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.done = folder, 0
        self.printed: dict[tuple[int, str], list[str]] = {}
        shutil.copytree(ROOT / "scenarios", folder / "scenarios")

    def play(self, last: int) -> None:
        """Play all blocks up to one: later ones need what earlier ones wrote."""
        while self.done <= last:
            language, text = PLAYED[self.done]
            if language == "sh":
                subprocess.run(["bash", "-euc", text], cwd=self.folder, check=True)
            else:
                for command, _ in commands(text):
                    self.printed[self.done, command] = self.run(command)
            self.done += 1

    def run(self, command: str) -> list[str]:
        """Run one command line as a shell would, and return the lines of both its streams."""
        words = shlex.split(command, comments=True)
        assert words[0] == "scripts/dcsim", "the other commands set machines up and are tested elsewhere"
        arguments = [
            str(path.relative_to(self.folder)) if "*" in word else word
            for word in words[1:]
            for path in (sorted(self.folder.glob(word)) if "*" in word else [self.folder])
        ]
        done = subprocess.run(
            [sys.executable, "-m", "dcsim", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return (done.stdout + done.stderr).splitlines()


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    """Give a tour that has not begun."""
    return Tour(tmp_path_factory.mktemp("readme"))


@pytest.mark.parametrize("number", SHOWN)
def test_console_block(number: int, tour: Tour) -> None:
    """Each command exits as a reader expects and prints the lines that README shows, to the last digit."""
    tour.play(number)
    for command, shown in commands(PLAYED[number][1]):
        printed = tour.printed[number, command]
        assert matches(shown, printed), f"$ {command}\n" + "\n".join(printed)


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
    assert {path.name for path in (ROOT / "docs").iterdir()} == {Path(name).name for _, name in found}


def test_every_link_leads_somewhere() -> None:
    """Files and headings that README links to are there."""
    headings = {
        re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!https?:)(.*?)\)", README):
        assert target[1:] in headings if target.startswith("#") else (ROOT / target).is_file(), target


def test_the_scenarios_shown_load(tmp_path: Path) -> None:
    """The first TOML block is a whole scenario, the others parts of one: with them all can be estimated."""
    whole, parts, plant = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "mine.toml").write_text(whole, encoding="utf-8")
    assert 0 < estimate(load(tmp_path / "mine.toml")).accounting.goodput_loss < 1
    job = '[[jobs]]\nname = "pretrain"\ngpus = 896\n'
    (tmp_path / "real.toml").write_text(f'extends = "mine.toml"\n{job}{parts}', encoding="utf-8")
    (tmp_path / "plant.toml").write_text(f'extends = "mine.toml"\n{plant}', encoding="utf-8")
    plain = load(tmp_path / "plant.toml")
    assert (plain.jobs[0].comm, plain.hazards[0].serves, plain.energisation[0].racks) == (0.2, True, 8)
    assert 0 <= estimate(plain).accounting.goodput_loss < 1
    real = load(tmp_path / "real.toml")
    assert (real.hazards[0].ages, real.jobs[0].recovery.kind, len(real.maintenance)) == (True, "checkpointless", 1)
    assert 0 < estimate(real).accounting.goodput_loss < 1


def test_the_comparison_can_fail() -> None:
    """A changed digit, a missing line and a further line are all found."""
    assert matches(["a 1", ANY_LINES, "b"], ["a 1", "x", "y", "b"])
    assert not matches(["a 1", ANY_LINES, "b"], ["a 2", "b"])
    assert not matches(["a 1", "b"], ["a 1"])
    assert not matches(["a 1"], ["a 1", "b"])
