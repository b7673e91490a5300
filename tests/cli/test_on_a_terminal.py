"""Command lines on a real terminal (a pseudo-terminal of 80 or 120 columns), and with one stream on it only."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).parents[2]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
QUICK = ("-n", "4", "--workers", "1", "--no-report")


def on_terminal(arguments, columns, folder, **streams):
    """Run dcsim with stderr, and stdout unless it is given, on a terminal of 24 lines. Return (exit code, text)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    hidden = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.Popen(
        [sys.executable, "-m", "dcsim", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        **({"stdin": theirs, "stdout": theirs, "stderr": theirs} | streams),
    )
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 65536):
            found += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return done.wait(), found.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ("estimate", "pretrain-5184/gold", "pretrain-5184/hyperscaler", "pretrain-5184/silver"),
        ("compare", "small.toml", "other.toml", *QUICK),
        ("topology", "show", "gb300-nvl72", "--gpus", "576"),
        ("list", "distributions"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_terminal_is_filled_and_never_overrun(dcsim, tmp_path, arguments, columns):
    """Tables are ruled and coloured, and no line is wider than the terminal."""
    code, text = on_terminal(arguments, columns, tmp_path)
    assert code == 0
    assert "\x1b[" in text
    lines = ESCAPES.sub("", text).splitlines()
    assert max(map(cell_len, lines)) <= columns
    if arguments[0] != "list" or columns == 120:
        assert any("──" in line for line in lines)


def test_the_answer_is_on_the_first_and_on_the_last_screen(dcsim, tmp_path):
    """24 lines of 80 columns: the first hold the answer and its table, the last the answer once more."""
    _, text = on_terminal(("compare", "small.toml", "other.toml", *QUICK), 80, tmp_path)
    lines = ESCAPES.sub("", text).splitlines()
    assert lines[0].startswith("Small is cheapest: ")
    assert any(line.startswith("Other ") for line in lines[:24])
    assert len(lines) > 48
    assert any(line.startswith("Small is cheapest: ") for line in lines[-23:])


def test_what_is_piped_is_plain_whatever_stderr_is(dcsim, tmp_path):
    """With stdout in a file and stderr on a terminal the file has neither colour nor rules, in 80 columns."""
    with (tmp_path / "kept").open("wb") as kept:
        code, seen = on_terminal(("compare", "small.toml", "other.toml", *QUICK), 120, tmp_path, stdout=kept)
    assert code == 0
    text = (tmp_path / "kept").read_text("utf-8")
    assert "\x1b" not in text
    assert "─" not in text
    assert max(map(cell_len, text.splitlines())) <= 80
    assert text.count("Small is cheapest: ") == 1
    assert "cheapest" not in seen
