"""The Slurm array of docs/clusters.md on a real Slurm, where Debian's slurm-wlm and munge are installed."""

import importlib.util
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "try_slurm.py"
spec = importlib.util.spec_from_file_location("try_slurm", SCRIPT)
try_slurm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(try_slurm)

pytestmark = pytest.mark.xdist_group("slurm")  # one worker, one Slurm
real = pytest.mark.skipif(try_slurm.missing() is not None, reason=str(try_slurm.missing()))


def start():
    """Start the script with the interpreter of the tests, for fewer runs than the page has."""
    return subprocess.Popen(
        [sys.executable, "-P", SCRIPT, "--runs", "16000"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def left_of(line):
    """What is left of a tried Slurm, named by the first line of the script: its folder and its processes."""
    home = Path(re.fullmatch(r"slurm-wlm [\d.]+ in (/\S+)\n", line)[1])
    mark = f"SLURM_CONF={home}/slurm.conf".encode()
    found = [home] if home.exists() else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process] if mark in (process / "environ").read_bytes() else []
        except OSError:  # it has just ended
            continue
    return found


@real
@pytest.mark.exhaustive
def test_the_array_of_the_docs_runs_on_a_real_slurm():
    """The array of the docs, requeued in the middle of a task, and the job after it leave the bytes of one run."""
    with start() as trial:
        out, err = trial.communicate()
    assert (trial.returncode, err) == (0, "")
    first, requeued, same = out.splitlines(keepends=True)
    assert re.fullmatch(r"requeued task \d of the array with \d+ or more of its parts kept\n", requeued)
    assert re.fullmatch(r"merged and undisturbed run: the same [\d,]+ bytes in 6 files\n", same)
    assert left_of(first) == []


@real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_trial_leaves_nothing(number):
    """A trial that is interrupted while jobs run says so in one line and leaves no process and no file."""
    with start() as trial:
        first = trial.stdout.readline()
        assert left_of(first) != []
        trial.send_signal(number)
        out, err = trial.communicate()
    assert (trial.returncode, out) == (130, "")
    assert err == "scripts/try-slurm: interrupted; everything is taken down\n"
    assert left_of(first) == []


def test_a_machine_without_slurm_is_told(monkeypatch, tmp_path, capsys):
    """Without slurm-wlm and munge one line says what is missing, and nothing is started."""
    monkeypatch.setattr(try_slurm, "_path", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT)])
    assert try_slurm.main() == 2
    assert capsys.readouterr() == ("", "scripts/try-slurm: slurm-wlm and munge are not installed\n")
