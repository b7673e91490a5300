"""What dcsim prints: hostile texts cannot reach a terminal, and a stream that nobody reads loses no run."""

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from dcsim.cli.screen import Screen, styled
from dcsim.report.document import Page
from dcsim.report.page import Passage, Row
from dcsim.report.page import Table as PageTable
from dcsim.report.terminal import console_on, show
from dcsim.wording import visible
from tests.cli.conftest import SMALL
from tests.cli.test_on_a_terminal import ESCAPES, on_terminal
from tests.unit.montecarlo_fakes import edit_manifest

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b]0;pwn\x07\x1b[2J\x9b31m\u202ex\u2066\r\x08\x7fy"
"""Escapes with 7 and 8 bits, a title, bidi overrides and isolates, return, backspace, delete."""
NEVER = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
QUICK = ("-n", "2", "--workers", "1", "--no-report")
ONCE = ("-n", "2", "--workers", "1")


def run(arguments, folder, **streams):
    """Run dcsim in a process of its own. Return (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "dcsim", *arguments], cwd=folder, check=False, timeout=300,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"PYTHONPATH": str(ROOT)},
        **({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
    )  # fmt: skip
    return done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode()


# --- one filter ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder with what other people may have written: scenarios, a topology, and a run with a forged manifest."""
    folder = tmp_path_factory.mktemp("hostile")
    escaped = json.dumps(HOSTILE)[1:-1].replace("\\b", "\\u0008")
    named = SMALL.replace('"Small"', f'"{escaped}"').replace('"train"', f'"{escaped}job"')
    named = named.replace('component = "gpu"', f'component = "gpu"\nname = "{escaped}hazard"')
    (folder / "evil.toml").write_text(f'description = "{escaped}"\n{named}')
    (folder / "other.toml").write_text(SMALL)
    (folder / f"{HOSTILE}.toml").write_text(SMALL)
    (folder / "wrong.toml").write_text(SMALL + f'"{escaped}" = 1\n')
    (folder / "plant.toml").write_text(
        f'name = "plant"\nbase = "hgx-h100"\ndescription = "{escaped}"\n', encoding="utf-8"
    )
    (folder / "topology.conf").write_text("SwitchName=a Nodes=n[1-2]\nSwitchName=\x1b[31mb Nodes=n3\n")
    code, _, err = run(("run", "other.toml", *QUICK, "-o", "kept"), folder)
    assert code == 0, err
    (kept,) = (folder / "kept").iterdir()
    edit_manifest(kept, dcsim=HOSTILE, schema=10**6)
    kept.rename(folder / "forged")
    return folder


VERBS = [
    (HOSTILE,),
    (f"--{HOSTILE}",),
    ("run", HOSTILE),
    ("run", f"{HOSTILE}.toml", *QUICK),
    ("run", "evil.toml", *QUICK),
    ("run", "evil.toml", *QUICK, "--json"),
    ("run", "evil.toml", *QUICK, "--fail-under", "100 %"),
    ("run", "evil.toml", *QUICK, "-o", HOSTILE),
    ("run", "evil.toml", *ONCE, "-o", f"{HOSTILE}2"),
    ("run", "evil.toml", "-n", HOSTILE),
    ("run", "evil.toml", "--engine", HOSTILE),
    ("run", "evil.toml", "--shard", HOSTILE),
    ("run", "evil.toml", "--shard", "1/2", "-n", "2", "--workers", "1", "-o", HOSTILE),
    ("run", "evil.toml", "--fail-under", HOSTILE),
    ("run", "evil.toml", "--precision", HOSTILE),
    ("run", "evil.toml", "--set", HOSTILE),
    ("run", "evil.toml", "--set", f"{HOSTILE}=1"),
    ("run", "evil.toml", "--set", f"cluster.spares={HOSTILE}"),
    ("run", "evil.toml", "-o", f"evil.toml/{HOSTILE}"),
    ("compare", "evil.toml", "other.toml", *QUICK),
    ("explain", "evil.toml", "-n", "2", "--workers", "1"),
    ("estimate", "evil.toml"),
    ("estimate", "evil.toml", "--json"),
    ("estimate", "wrong.toml"),
    ("check", "evil.toml"),
    ("check", f"{HOSTILE}.toml"),
    ("check", "wrong.toml"),
    ("list", HOSTILE),
    ("new", f"{HOSTILE}/x.toml"),
    ("new", "new.toml", "--from", HOSTILE),
    ("new", f"{HOSTILE}new.toml"),
    ("report", "forged"),
    ("report", HOSTILE),
    ("report", "forged", "--format", HOSTILE),
    ("merge", "forged"),
    ("merge", HOSTILE),
    ("topology", HOSTILE),
    ("topology", "show", HOSTILE),
    ("topology", "show", f"./{HOSTILE}.toml"),
    ("topology", "show", "./plant.toml", "--gpus", "64"),
    ("topology", "show", "hgx-h100", "--fail", HOSTILE),
    ("topology", "build", "hgx-h100", "--gpus", "64", "-o", f"{HOSTILE}.svg"),
    ("topology", "build", "hgx-h100", "--gpus", "64", "-o", HOSTILE),
    ("topology", "import", "topology.conf", "-o", f"{HOSTILE}m.toml", "--gpus-per-node", "8"),
    ("topology", "import", HOSTILE, "-o", "m.toml", "--gpus-per-node", "8"),
    ("topology", "import", "topology.conf", "-o", "m.toml", "--gpus-per-node", "8", "--name", HOSTILE),
    ("topology", "import", "topology.conf", "-o", "m.toml", "--gpus-per-node", HOSTILE),
]


TYPED = [
    pytest.param(given, id=visible(" ".join(given))[:60], marks=[pytest.mark.exhaustive] if number % 3 else [])
    for number, given in enumerate(VERBS)
]


@pytest.mark.parametrize("arguments", TYPED)
def test_no_control_character_is_piped(hostile, player, arguments):
    """Whatever is hostile in a command line or in a file, stdout and stderr hold printable signs and line ends."""
    code, out, err = player.play(hostile, {}, arguments=arguments)
    assert NEVER.findall(out + err) == []
    assert "Traceback" not in err
    assert code in (0, 1, 2)
    if "--json" in arguments:
        assert json.loads(out)["cautions"][0]["scenario"] == HOSTILE
    elif HOSTILE in arguments and code == 2 and arguments[0] != "merge":  # which finds a folder of that name
        assert "\\x1b]0;pwn" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "evil.toml", *QUICK),
        ("estimate", "evil.toml"),
        ("explain", "evil.toml", "-n", "2", "--workers", "1"),
        ("compare", "evil.toml", "other.toml", *QUICK),
        ("run", "evil.toml", "--set", f"{HOSTILE}=1"),
        ("run", HOSTILE),
        ("report", "forged"),
        ("topology", "show", "./plant.toml", "--gpus", "64"),
        ("list", "strategies"),
    ],
    ids=lambda given: visible(" ".join(given))[:60],
)
def test_a_terminal_gets_the_escapes_of_styles_only(hostile, arguments):
    """On a terminal only styles are escapes, and no line grows beyond its width by signs that are shown."""
    _, text = on_terminal(arguments, 100, hostile)
    styles = ESCAPES.findall(text)
    assert {each[-1] for each in styles} <= {"m"}
    assert NEVER.findall(ESCAPES.sub("", text)) == []
    assert "[2J" not in text or "\\x1b[2J" in text


def test_a_name_with_line_ends_forges_no_line(hostile):
    """A line end in an argument is shown; one error stays one line."""
    code, out, err = run(("run", "none\ndcsim: all is well\u2028.toml"), hostile)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "none\\ndcsim" in err


def test_what_is_visible_stays_so():
    """Signs of all writing systems stay; what does not print is shown, once."""
    for text in ("", "gold ± 1 µs – 日本 é", "a\u3000b\xa0c"):
        assert visible(text) == text
    assert visible("\x1b[0m\ud800\u202e\x9b\n") == "\\x1b[0m\\ud800\\u202e\\x9b\\n"
    assert visible("a\nb\x1b", "\n") == "a\nb\\x1b"
    assert visible(visible(HOSTILE)) == visible(HOSTILE)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """It is one."""
        return True


def test_a_screen_filters_what_any_code_writes(monkeypatch):
    """A bare print shows its escapes; tables keep theirs, not those of their cells, and are as wide as they look."""
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Screen(Terminal())
    print(HOSTILE, file=screen)
    screen.buffer.write(HOSTILE.encode())
    rows = (Row(HOSTILE, (HOSTILE,), strong=True), Row("plain", ("1",)))
    parts = (PageTable(HOSTILE, (HOSTILE,), rows), Passage(HOSTILE, ((HOSTILE, HOSTILE),)))
    show(Page((HOSTILE,), parts, (HOSTILE,)), styled(screen))
    grid = Table(HOSTILE)
    grid.add_row(Text(HOSTILE), style="bold")
    console_on(styled(screen)).print(grid)
    text = screen.styled.stream.getvalue()
    assert "\x1b[1m" in text
    assert {each[-1] for each in ESCAPES.findall(text)} == {"m"}
    assert NEVER.findall(ESCAPES.sub("", text)) == []


PRINTS = re.compile(r"(print|click\.s?echo|click\.style|click\.echo_via_pager|.*\bstd(out|err)\.write|os\.write)")


def test_everything_is_printed_in_one_place():
    """Nothing but dcsim/cli/screen.py prints, and nothing but dcsim/report/terminal.py makes a console of rich's."""
    found = []
    for path in sorted((ROOT / "dcsim").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and PRINTS.fullmatch(ast.unparse(node.func))
                and name not in ("dcsim/cli/screen.py", "dcsim/files.py")  # the second writes files
            ):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node.func)}")
            if isinstance(node, ast.Call) and re.search(r"\bConsole$", ast.unparse(node.func)):
                found.append(f"{name}:{node.lineno}: a console that filters nothing")
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "click"
                and {"echo", "secho"} & {each.name for each in node.names}
            ):
                found.append(f"{name}:{node.lineno}: import of echo")
    assert found == []


# --- nobody reads it ----------------------------------------------------------------------------------------------


RESULTS = [
    ("--help",),
    ("list",),
    ("list", "keys"),
    ("schema",),
    ("check", "small.toml"),
    ("estimate", "small.toml"),
    ("estimate", "small.toml", "--json"),
    ("run", "small.toml", *ONCE, "-o", "o"),
    ("run", "small.toml", *ONCE, "-o", "o", "--json"),
    ("run", "small.toml", *ONCE, "-o", "o", "--shard", "1/2"),
    ("compare", "small.toml", "other.toml", *ONCE, "-o", "o"),
    ("explain", "small.toml", *ONCE),
    ("new", "mine.toml"),
    ("topology", "list"),
    ("topology", "show", "hgx-h100"),
    ("topology", "build", "hgx-h100", "--gpus", "64", "-o", "plant.json"),
    ("report", "kept", "--format", "csv"),
    ("report", "kept", "--format", "csv", "-o", "-"),
    ("merge", "shards"),
]
PRODUCED = {
    "run": "o/*/report.html",
    "compare": "o/compare-*/report.html",
    "new": "mine.toml",
    "report": "kept/report.csv",
}
LOST = "dcsim: stdout cannot be written to: "


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """A folder with scenarios, a kept run and two shards."""
    folder = tmp_path_factory.mktemp("readers")
    (folder / "small.toml").write_text(SMALL)
    (folder / "other.toml").write_text(SMALL.replace('"Small"', '"Other"'))
    run(("run", "small.toml", *QUICK, "-o", "once"), folder)
    (kept,) = (folder / "once").iterdir()
    kept.rename(folder / "kept")
    for shard in ("1/2", "2/2"):
        run(("run", "small.toml", *QUICK, "-o", "shards", "--shard", shard), folder)
    return folder


def shell(arguments, redirect, folder):
    """Run dcsim in a shell with streams as it redirects them. Return (exit code of dcsim, what stderr says)."""
    command = f'{{ "$@"; echo $? >code; }} {redirect}'
    done = subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, "-m", "dcsim", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=120, check=False,
    )  # fmt: skip
    return int((folder / "code").read_text()), done.stderr


WAYS = {
    "stdout closed": (">&-", 1, LOST + "it is closed"),
    "stdout full": (">/dev/full", 1, LOST + "No space left on device"),
    "stderr closed": ("2>&-", 0, None),
    "stderr full": ("2>/dev/full", 0, None),
    "both closed": (">&- 2>&-", 1, None),
    "both full": (">/dev/full 2>&1", 1, None),
    "all closed": ("<&- >&- 2>&-", 1, None),
    "reader gone": ("> >(exec true)", None, ""),
}


TRIED = [
    pytest.param(
        arguments, way, id=f"{' '.join(arguments)}-{way}",
        marks=[] if (row + column) % len(WAYS) == 0 else [pytest.mark.exhaustive],
    )
    for row, arguments in enumerate(RESULTS)
    for column, way in enumerate(WAYS)
]  # fmt: skip
"""Every result with every way; in every test run each result with one of them, and each way with some."""


@pytest.mark.parametrize(("arguments", "way"), TRIED)
def test_what_nobody_reads_costs_no_file(readers, tmp_path, arguments, way):
    """A closed or full stream ends no verb early: its files are complete, and a lost result is one line and exit 1."""
    redirect, expected, says = WAYS[way]
    for name in ("small.toml", "other.toml"):
        (tmp_path / name).write_bytes((readers / name).read_bytes())
    for name in ("kept", "shards"):
        shutil.copytree(readers / name, tmp_path / name)
    code, err = shell(arguments, redirect, tmp_path)
    if expected is not None:
        assert code == expected
    assert code in (0, 1)
    lines = [line for line in err.splitlines() if not line.startswith(("note: ", "simulating: "))]
    if says is not None:
        assert lines == ([f"{says}; what was printed is lost"] if says else [])
    pattern = PRODUCED.get(arguments[0])
    if pattern and "-" not in arguments and "--shard" not in arguments:
        (file,) = tmp_path.glob(pattern)
        assert file.stat().st_size > 100
    if arguments[0] == "merge":
        assert [folder for folder in (tmp_path / "shards").iterdir() if ".shard-" not in folder.name]


def test_an_error_with_closed_streams_keeps_its_exit_code(tmp_path):
    """A usage error exits with 2 also where nobody can be told."""
    for redirect in (">&- 2>&-", "2>/dev/full", ">/dev/full"):
        assert shell(("run", "none.toml"), redirect, tmp_path)[0] == 2


def test_progress_on_a_full_stream_ends_no_run(readers, tmp_path):
    """Lines about progress are dropped where stderr is full or closed; the run goes on with its exit code."""
    code = "import dcsim.cli.progress as o; o.BAR_AFTER_S = o.LINE_AFTER_S = 0.0; import dcsim.cli; dcsim.cli.main()"
    for redirect in ("2>&-", "2>/dev/full"):
        command = f'{{ "$@"; echo $? >code; }} {redirect}'
        subprocess.run(
            ["bash", "-c", command, "bash", sys.executable, "-c", code, "run", readers / "small.toml", "-n", "40",
             "--workers", "2", "--engine", "simpy", "--no-report", "-o", tmp_path / "o"],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120, check=False,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        assert (tmp_path / "code").read_text() == "0\n"
        assert list((tmp_path / "o").glob("**/all.parquet"))
