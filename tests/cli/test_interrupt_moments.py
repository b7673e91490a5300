"""Ctrl-C and SIGTERM at chosen moments: what a process does is counted by an audit hook, nothing sleeps."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cli.test_interrupt import SCENARIO

ROOT = Path(__file__).parents[2]
HOOK = """
import os, sys
who, event, part, count, number = os.environ["MOMENT"].split("|")
here = "worker" if sys.argv[0] == "-c" else "parent"
left = int(count)
def hook(name, args):
    global left
    if left and name == event and part in (str(args[0]) if args else ""):
        left -= 1
        if not left:
            if here == "worker":
                os.kill(os.getpid(), 2)  # as a batch system, which signals all processes of a job
            os.kill(os.getppid() if here == "worker" else os.getpid(), int(number))
if here == who:
    sys.addaudithook(hook)
"""
RUN = ("run", "it.toml", "-n", "4", "--engine", "simpy", "--workers", "2", "-o", "kept")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
MOMENTS = [
    ("parent", "import", "dcsim.decide", 1),
    ("parent", "import", "numpy", 1),
    ("parent", "import", "pyarrow.parquet", 1),
    ("parent", "os.mkdir", "kept", 1),
    ("parent", "open", "manifest", 1),
    ("parent", "subprocess.Popen", "", 1),
    ("parent", "subprocess.Popen", "", 2),
    ("worker", "import", "pickle", 1),
    ("worker", "import", "numpy", 1),
    ("worker", "import", "dcsim.montecarlo.worker", 1),
    ("parent", "pickle.find_class", "", 1),
    ("parent", "os.rename", "", 1),
    ("parent", "os.rename", "", 2),
    ("parent", "os.rename", "", 3),
    ("parent", "os.rename", "", 6),
    ("parent", "os.rename", "", 9),
    ("parent", "os.listdir", "kept", 1),
    ("parent", "import", "dcsim.report.full_report", 1),
    ("parent", "import", "dcsim.report.html", 1),
]


def start(folder, moment, number):
    """Run dcsim with a signal at a moment. Return (exit code, lines on stderr, processes that are left)."""
    mark = uuid4().hex
    (folder / "hook").mkdir(exist_ok=True)
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    environment = os.environ | {
        "PYTHONPATH": f"{folder / 'hook'}{os.pathsep}{ROOT}", "MOMENT": "|".join(map(str, (*moment, int(number)))),
        "MARK": mark,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dcsim", *RUN],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        process_group=0,
    )  # fmt: skip
    return done.returncode, told(done.stderr), marked(mark)


def told(err):
    """What stderr says besides progress and notes."""
    return [line for line in err.splitlines() if not line.startswith(("simulating: ", "note: "))]


def marked(mark):
    """The processes that carry a mark in their environment and have not ended."""
    found = []
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in process.read_bytes():
                found.append(process.parent.name)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def undisturbed(player, tmp_path_factory):
    """The replications of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "it.toml").write_text(SCENARIO)
    assert player.play(folder, {}, arguments=[*RUN, "--no-report"])[0] == 0
    return parts(folder)


def parts(folder):
    """The bytes of the finished replications, by name."""
    return {file.name: file.read_bytes() for file in folder.glob("kept/**/all.parquet")}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        pytest.param(
            moment,
            number,
            id=f"{number.name} at {' '.join(map(str, moment))}",
            marks=[pytest.mark.exhaustive] if index % 3 else [],
        )
        for index, moment in enumerate(MOMENTS)
        for number in (SIGNALS if "Popen" in moment[1] else (SIGNALS[index % 2],))
    ],
)
def test_a_signal_at_any_moment_is_one_line(player, tmp_path, undisturbed, moment, number):
    """Exit code 130 or 143, one line, no process left; resuming gives the bytes of an undisturbed run."""
    (tmp_path / "it.toml").write_text(SCENARIO)
    code, lines, left = start(tmp_path, moment, number)
    assert (code, len(lines)) == (128 + number, 1), lines
    assert "interrupted" in lines[0]
    assert left == []
    code, _, err = player.play(tmp_path, {}, arguments=[*RUN, "--resume", "--no-report"])
    assert (code, told(err)) == (0, [])
    assert parts(tmp_path) == undisturbed != {}
