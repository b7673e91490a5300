"""scripts/test --install-browser: what it asks apt-get for, and what it says where it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALLS = """\
echo "apt-get $*" >>{log}
case " $* " in *" install "*) echo >{bin}/chromium; chmod +x {bin}/chromium;; esac"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands that is the whole PATH, with what the script itself needs, for root."""
    for name in ("bash", "cat", "chmod", "env", "readlink", "sha256sum"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    command(tmp_path, "id", "echo 0")
    return tmp_path


def command(machine: Path, name: str, does: str) -> None:
    """Put a command on the machine that does what a line of shell says, and notes its arguments in log if asked to."""
    (machine / name).write_text(f"#!{shutil.which('sh')}\n" + does.format(log=machine / "log", bin=machine) + "\n")
    (machine / name).chmod(0o755)


def source(machine: Path) -> tuple[int, str, str]:
    """Source browser.sh and print what tests would see of it. Return (exit status, output, messages)."""
    line = f'source "{ROOT}/scripts/browser.sh"; echo "goes on, browser $DCSIM_BROWSER"'
    done = subprocess.run(
        [machine / "bash", "-euo", "pipefail", "-c", line],
        env={"PATH": str(machine)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_chromium_that_is_there_is_used(machine: Path) -> None:
    """With chromium on PATH nothing is installed or said, root or not."""
    command(machine, "chromium", "exit 1")
    command(machine, "id", "echo 1000")
    assert source(machine) == (0, "goes on, browser required\n", "")


@pytest.mark.parametrize("user", ["0", "1000"])
def test_debians_chromium_is_installed(machine: Path, user: str) -> None:
    """Root runs apt-get, others go through sudo that asks nothing; lists are renewed first."""
    command(machine, "id", f"echo {user}")
    command(machine, "sudo", '[ "$1" = -n ] && shift && echo sudo >>{log} && exec "$@"')
    command(machine, "true", "exit 0")
    command(machine, "apt-get", INSTALLS)
    status, output, messages = source(machine)
    assert (status, output) == (0, "goes on, browser required\n"), messages
    calls = (machine / "log").read_text().splitlines()
    update, install = (call.split() for call in calls if call.startswith("apt-get"))
    assert "update" in update
    assert {"install", "-y", "--no-install-recommends", "chromium"} <= set(install)
    assert calls.count("sudo") == (0 if user == "0" else 3)


@pytest.mark.parametrize(
    ("commands", "says"),
    [
        ({}, "which this machine lacks"),
        ({"apt-get": "exit 0", "id": "echo 1000"}, "needs root, or sudo without a password"),
        ({"apt-get": "exit 0", "id": "echo 1000", "sudo": "exit 1"}, "needs root, or sudo without a password"),
        ({"apt-get": "exit 100"}, "could not install chromium"),
        ({"apt-get": "exit 0"}, "there is none on PATH"),
    ],
    ids=["no apt-get", "no sudo", "sudo asks", "apt-get fails", "no chromium after all"],
)
def test_a_machine_that_cannot_is_told_why(machine: Path, commands: dict[str, str], says: str) -> None:
    """A browser that was asked for and cannot be had is an error: exit 2, and its last line says what is missing."""
    for name, does in commands.items():
        command(machine, name, does)
    status, output, messages = source(machine)
    assert (status, output) == (2, "")
    last = messages.splitlines()[-1]
    assert last.startswith("dcsim: ")
    assert says in last


def test_the_option_is_no_argument_of_pytest(machine: Path, tmp_path: Path) -> None:
    """--install-browser is taken out wherever it stands; the other arguments reach pytest in order, spaces and all."""
    checkout = machine / "check out"
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    (checkout / "scripts/setup.sh").write_text("root=${here%/scripts/test}\npython=python\n")
    command(machine, "python", '[ "$2" != pytest ] || printf "[%s]" "$DCSIM_BROWSER" "$@"')
    command(machine, "chromium", "exit 1")
    done = subprocess.run(
        [machine / "bash", checkout / "scripts/test", "tests/browser", "--install-browser", "-k", "a b"],
        env={"PATH": str(machine)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.endswith("[required][-m][pytest][-n][2][--dist][loadgroup][tests/browser][-k][a b]")


def test_ci_asks_for_the_browser() -> None:
    """CI runs what a person runs, with the browser, and can be executed."""
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'exec bash "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/test" --install-browser "$@"'
    ]
    assert os.access(ROOT / ".ci/run", os.R_OK)


@pytest.mark.parametrize(("wanted", "ends"), [("", "4 skipped"), ("required", "4 errors")])
def test_without_a_browser(machine: Path, wanted: str, ends: str) -> None:
    """Tests in a browser skip and say how to get one; where one was asked for they fail: no skip goes unseen."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/browser", "-k", "sound_page"],
        cwd=ROOT, env={"PATH": str(machine), "DCSIM_BROWSER": wanted}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no Chromium here: scripts/test --install-browser" in done.stdout
    assert ends in done.stdout.splitlines()[-1]
    assert done.returncode == (1 if wanted else 0)
