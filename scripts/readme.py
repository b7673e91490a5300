"""Runs the console and Python blocks of README.md and docs/ (run by scripts/readme).

The blocks of a page run in their order in a folder of its own, which holds the shipped scenarios. A TOML block whose
first line is the name of a file, as in ``# mine.toml``, is written to that file. A line ``…`` in a
block stands for any number of lines. ``--write`` puts the printed lines in the place of the shown ones and keeps the
``…``: each piece between them takes the printed lines that resemble it most.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).resolve().parent.parent
ANY_LINES = "…"
BLOCK = re.compile(r"^```(console|sh|python|text|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```toml\n# (\S+\.toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A TOML block whose first line is the name of the file that it is."""
COMMAND = re.compile(r"^\$ (.+)$", re.MULTILINE)
LEAST_LIKENESS = 0.5
"""Of a shown piece and the printed lines that take its place (1: equal); below it nothing is written."""
LONGER = 6
"""Lines by which a piece may grow or shrink."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""As the command line sets them, before numpy is loaded."""
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1"}
"""Pages show what a terminal of this width without colours shows."""


class Step(NamedTuple):
    """One thing that a page runs, in the language of its block; ``shown``: the lines that the page shows."""

    language: str
    source: str
    shown: list[str]
    place: tuple[int, int]
    """Where the shown lines stand in the page's text; (0, 0) where it shows none."""


def pages() -> list[Path]:
    """Return the pages that run something, README.md first."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in every if steps(page)]


def steps(page: Path) -> list[Step]:
    """Return what a page runs, in its order. README's first block sets the program up and is left out."""
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))[page.name == "README.md" :]
    found: list[Step] = []
    for number, block in enumerate(blocks):
        language, body = block[1], block[2]
        if language == "console":
            found += commands(body, block.start(2))
        elif language == "python":
            after = blocks[number + 1] if number + 1 < len(blocks) else None
            if after is not None and after[1] == "text":
                found.append(Step(language, body, after[2].splitlines(), after.span(2)))
            else:
                found.append(Step(language, body, [], (0, 0)))
        elif language == "sh" or FILE.fullmatch(block[0]):
            found.append(Step(language, body, [], (0, 0)))
    return found


def commands(block: str, begin: int) -> Iterator[Step]:
    """Yield the commands of a console block that begins at a place in the page."""
    lines = list(COMMAND.finditer(block))
    assert lines, "a console block without a command"
    assert lines[0].start() == 0, "a console block starts with a command"
    for number, line in enumerate(lines):
        first = min(line.end() + 1, len(block))
        last = lines[number + 1].start() if number + 1 < len(lines) else len(block)
        yield Step("console", line[1], block[first:last].splitlines(), (begin + first, begin + last))


def matches(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Return whether the printed lines are the shown ones, in order; a line ``…`` stands for any number of them."""
    pattern = "".join("(?:.*\n)*" if line == ANY_LINES else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


class Player:
    """Runs command lines and Python sources, each in a process of its own (scripts/readme_player.py). A context."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", ROOT / "scripts" / "readme_player.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | ONE_THREAD,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def play(self, folder: Path, variables: dict[str, str], **what: object) -> tuple[int, str, str]:
        """Play ``arguments`` or a ``source`` in a folder with further variables of the environment.

        Return the exit code and what the two streams got.
        """
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            step = {"folder": str(folder), "variables": variables, "out": out.name, "err": err.name, **what}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps(step), file=self._process.stdin, flush=True)
            code = int(self._process.stdout.readline())
            return code, out.read().decode(), err.read().decode()


class Tour:
    """A reader's folder with the shipped scenarios, in which the steps of a page run in order, each once."""

    def __init__(self, folder: Path, player: Player) -> None:
        self.folder, self.player = folder, player
        shutil.copytree(ROOT / "scenarios", folder / "scenarios")

    def run(self, step: Step) -> list[str]:
        """Run one step and return the lines of its two streams, the error stream last."""
        if step.language == "sh":
            subprocess.run(["bash", "-euc", step.source], cwd=self.folder, check=True)
            return []
        if step.language == "toml":
            name = step.source.splitlines()[0].removeprefix("# ")
            (self.folder / name).write_text(step.source, encoding="utf-8")
            return []
        if step.language == "python":
            code, out, err = self.player.play(self.folder, PLAIN, source=step.source)
            if code:
                raise RuntimeError(f"{step.source}\n{err}")
        else:
            _, out, err = self.player.play(self.folder, PLAIN, arguments=self.arguments(step.source))
        return [line.rstrip() for line in (out + err).splitlines()]

    def arguments(self, command: str) -> list[str]:
        """Return the arguments of a ``scripts/dcsim`` command line as a shell would pass them."""
        words = shlex.split(command, comments=True)
        if words[0] != "scripts/dcsim":
            raise ValueError(f"{command}: a console block runs scripts/dcsim and nothing else")
        return [
            str(path.relative_to(self.folder)) if "*" in word else word
            for word in words[1:]
            for path in (sorted(self.folder.glob(word)) if "*" in word else [self.folder])
        ]


def likeness(shown: Sequence[str], printed: Sequence[str]) -> float:
    """Return how much two pieces resemble one another, from 0 to 1; digits and lengths of gaps count little."""
    plain = [re.sub(r"\d", "0", re.sub(r" +", " ", "\n".join(lines))) for lines in (shown, printed)]
    alike = SequenceMatcher(None, *plain, autojunk=False).ratio()
    return alike + 0.001 * (shown[0] == printed[0] if shown and printed else 0)


def refreshed(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """Return the shown lines with each piece replaced by the printed lines that resemble it most.

    Raises ValueError where a piece resembles nothing that is printed.
    """
    if matches(shown, printed):
        return list(shown)
    if ANY_LINES not in shown and abs(len(printed) - len(shown)) <= LONGER:
        return list(printed)
    pieces: list[list[str]] = [[]]
    for line in shown:
        if line == ANY_LINES:
            pieces.append([])
        else:
            pieces[-1].append(line)
    result: list[str] = []
    begin = 0
    for number, piece in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        if number:
            result.append(ANY_LINES)
        if not piece:
            continue
        starts = [begin] if first else range(begin, len(printed))
        spans = [
            (start, end)
            for start in starts
            for end in ([len(printed)] if last else range(start + 1, len(printed) + 1))
            if (first and last) or abs(end - start - len(piece)) <= LONGER
        ]
        start, end = max(spans, key=lambda span: likeness(piece, printed[slice(*span)]), default=(0, 0))
        if likeness(piece, printed[start:end]) < LEAST_LIKENESS:
            raise ValueError("nothing printed resembles these lines:\n" + "\n".join(piece))
        result += printed[start:end]
        begin = end
    return result


def checked(page: Path, player: Player, write: bool) -> int:
    """Run a page; name what differs, or write it into the page. Return how many steps stay wrong."""
    text, result = page.read_text(encoding="utf-8"), ""
    copied = problems = 0
    with tempfile.TemporaryDirectory() as folder:
        tour = Tour(Path(folder), player)
        for step in steps(page):
            printed = tour.run(step)
            if step.place == (0, 0) or matches(step.shown, printed):
                continue
            where = f"{page.relative_to(ROOT)}: {step.source.strip().splitlines()[-1]}"
            try:
                lines = refreshed(step.shown, printed)
            except ValueError as error:
                print(f"{where}: {error}", file=sys.stderr)
                problems += 1
                continue
            print(f"{where}: {'written' if write else 'prints other lines than the page shows'}")
            problems += not write
            result += text[copied : step.place[0]] + "".join(f"{line}\n" for line in lines)
            copied = step.place[1]
    if write and copied:
        page.write_text(result + text[copied:], encoding="utf-8")
    return problems


def main(arguments: Sequence[str]) -> int:
    write = "--write" in arguments
    names = [word for word in arguments if word != "--write"]
    chosen = [page for page in pages() if not names or str(page.relative_to(ROOT)) in names]
    if len(chosen) < len(names) or any(word.startswith("-") for word in names):
        known = ", ".join(str(page.relative_to(ROOT)) for page in pages())
        print(f"scripts/readme: takes --write and pages ({known})", file=sys.stderr)
        return 2
    problems = 0
    with Player() as player:
        for page in chosen:
            problems += checked(page, player, write)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
