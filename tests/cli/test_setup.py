"""The scripts that set themselves up, in a checkout without dependencies, and the lock files."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = ("core", "dev")
PROGRAM = """
import os, sys

def main():
    print("ran", *sys.argv[1:], "in", os.path.basename(os.getcwd()), "from", os.path.dirname(__file__))
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose dcsim says where it runs and whose lock files lock nothing, in a path with a space."""
    root = tmp_path / "check out"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "requirements").mkdir()
    for level in LEVELS:
        (root / f"requirements/{level}.txt").write_text(f"# {level}: nothing\n")
    (root / "dcsim").mkdir()
    (root / "dcsim/__init__.py").touch()
    shutil.copy(ROOT / "dcsim/__main__.py", root / "dcsim")
    (root / "dcsim/cli.py").write_text(PROGRAM)
    (tmp_path / "caller/dcsim").mkdir(parents=True)
    (tmp_path / "caller/dcsim/__init__.py").write_text("raise SystemExit('the wrong dcsim')\n")
    return root


@pytest.fixture
def venv(checkout):
    """The folder of the environment that the checkout uses with PYTHON=<the interpreter of the tests>."""
    return checkout / ".venv-{}.{}".format(*sys.version_info)


def start(checkout, *arguments, script="dcsim", **changes):
    """Start a script of a checkout from another folder, as a person would."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1", **changes}
    return subprocess.Popen(
        [checkout / "scripts" / script, *arguments],
        cwd=checkout.parent / "caller", env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def stamp_for(checkout, *levels):
    """The stamp of an environment that is ready for the levels: name and sha256 of each lock file."""
    locks = {level: checkout / f"requirements/{level}.txt" for level in levels}
    return "".join(f"{level} {hashlib.sha256(lock.read_bytes()).hexdigest()}\n" for level, lock in locks.items())


def pretend_ready(checkout, venv, *levels):
    """Put in an environment with a stamp for the levels, whose interpreter only says how it was called."""
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").write_text('#!/bin/sh\necho called with "$@" | tee -a "${0%/*}/../calls"\n')
    (venv / "bin/python").chmod(0o755)
    (venv / "stamp").write_text(stamp_for(checkout, *levels))


NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
"""There is no network."""


def test_two_first_calls_at_once(checkout, venv):
    """Two first calls over a half-built environment set it up once and run from the caller's folder.

    It holds no pip or setuptools of the interpreter's age, runs without a network, and is set up anew for another lock.
    """
    (venv / "lib/left-over").mkdir(parents=True)
    calls = [start(checkout, "call", number) for number in "12"]
    outputs, messages = zip(*[call.communicate(timeout=120) for call in calls], strict=True)
    package = checkout / "dcsim"
    assert outputs == tuple(f"ran call {number} in caller from {package}\n" for number in "12"), messages
    assert "".join(messages).count(f"setting up {venv.name}") == 1
    assert not (venv / "lib/left-over").exists()
    assert (venv / "stamp").read_text() == stamp_for(checkout, "core")
    assert list(package.glob("__pycache__/cli.*.pyc"))
    site = next(venv.glob("lib/python3.*/site-packages"))
    assert [path.name for path in site.iterdir() if path.name.startswith(("pip", "setuptools"))] == []
    assert start(checkout, **NO_INDEX).communicate() == (f"ran in caller from {package}\n", "")
    (checkout / "requirements/core.txt").write_text("# another lock\n")
    assert start(checkout).communicate()[1].count("setting up") == 1
    assert (venv / "stamp").read_text() == stamp_for(checkout, "core")


@pytest.mark.parametrize("levels", [["core"], ["core", "dev"]])
def test_a_ready_environment_is_used_at_once(checkout, venv, levels):
    """An environment with a good stamp is used as it is: one for development serves the program too."""
    pretend_ready(checkout, venv, *levels)
    assert start(checkout, "check", "my file.toml").communicate() == (
        "called with -P -m dcsim check my file.toml\n",
        "",
    )


def test_a_core_environment_is_added_to_for_development(checkout, venv):
    """scripts/test adds to a good core without removing it, and stamps both."""
    pretend_ready(checkout, venv, "core")
    site = venv / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    out, err = start(checkout, "-k", "name", script="test").communicate()
    assert f"setting up {venv.name}" in err
    assert "called with -I -m pip install" in (venv / "calls").read_text()
    assert out.splitlines()[-1] == "called with -m pytest -n 2 --dist loadgroup -k name"
    assert (venv / "stamp").read_text() == stamp_for(checkout, "core", "dev")
    assert (site / "dcsim-checkout.pth").exists()


def test_a_set_up_without_a_network_says_so_in_a_line(checkout, venv):
    """Without a network the set-up ends with one line and no stamp; with one, the next call finishes it."""
    (checkout / "requirements/core.txt").write_text(f"nowhere==1.0 --hash=sha256:{64 * '0'}\n")
    call = start(checkout, **NO_INDEX)
    out, err = call.communicate()
    assert (call.returncode, out) == (1, "")
    began, said = err.splitlines()
    assert began.startswith(f"dcsim: setting up {venv.name}")
    assert said == ("dcsim: no network: pip reaches no package index (Connection refused); only the set-up needs one")
    assert not (venv / "stamp").exists()
    (checkout / "requirements/core.txt").write_text("# nothing\n")
    assert start(checkout).communicate()[0] == f"ran in caller from {checkout / 'dcsim'}\n"


def test_another_failure_of_pip_is_shown(checkout):
    """What pip says of a package that an index does not have is shown, and not taken for a missing network."""
    (checkout / "requirements/core.txt").write_text(f"nowhere==1.0 --hash=sha256:{64 * '0'}\n")
    call = start(checkout, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(checkout))
    err = call.communicate()[1]
    assert call.returncode == 1
    assert "No matching distribution found for nowhere==1.0" in err
    assert "the set-up failed" in err.splitlines()[-1]
    assert "no network" not in err


@pytest.mark.parametrize(
    "found",
    [
        "exit 127",
        "echo 3.11",
        'exec {python} -c "import sys; sys.version_info = (3, 10, 13); exec(sys.argv[1])" "$3"',
    ],
    ids=["leads nowhere", "no Python", "too old"],
)
def test_a_python_that_does_not_work_is_named(checkout, found):
    """A PYTHON that leads nowhere, is none, or is too old gives one line and exit 2, and nothing is built."""
    shim = checkout.parent / "python3.13"
    shim.write_text("#!/bin/sh\n" + found.format(python=sys.executable) + "\n")
    shim.chmod(0o755)
    call = start(checkout, PYTHON=str(shim))
    out, err = call.communicate()
    assert (call.returncode, out) == (2, "")
    assert err.startswith(f"dcsim: PYTHON={shim} is not a working Python 3.11 or later")
    assert err.count("\n") == 1
    assert list(checkout.glob(".venv*")) == []


def test_interpreters_are_tried_until_one_works(checkout):
    """Without PYTHON, a shim that fails is passed over for the next one on PATH; with none, exit 2."""
    tools = checkout.parent / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "readlink", "sha256sum"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3.11").write_text("#!/bin/sh\nexit 127\n")
    (tools / "python3.11").chmod(0o755)
    bare = {"PYTHON": "", "PATH": str(tools), "HOME": str(tools), "PYENV_ROOT": str(tools)}
    call = start(checkout, **bare)
    assert call.communicate()[1].startswith("dcsim: no Python 3.11 or later")
    assert call.returncode == 2
    (tools / "python3").symlink_to(sys.executable)
    out, err = start(checkout, **bare).communicate()
    assert out == f"ran in caller from {checkout / 'dcsim'}\n", err
    assert (checkout / ".venv/stamp").read_text() == stamp_for(checkout, "core")


def locked(level):
    """Name -> version of a lock file, markers left off."""
    text = (ROOT / f"requirements/{level}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


UV = """#!/bin/bash
while [[ $# -gt 0 ]]; do
    case $1 in
        --output-file) printf '%s\\n' 'new==1.0 --hash=x' 'kept==1.0 --hash=x' 'moved==2.0 --hash=x' >"$2"; exit ;;
        pip-audit) echo "$AUDIT"; exit 1 ;;
        scripts/*) exec "$PYTHON" "$@" ;;
    esac
    shift
done
"""
NOT_KNOWN = '{"name": "moved", "skip_reason": "not found"}'
NO_LIST = "advisories: not checked, for no list of them can be reached from here"


@pytest.mark.parametrize(
    ("audit", "code", "told"),
    [
        ("", 0, [NO_LIST]),
        (f'{{"dependencies": [{NOT_KNOWN}]}}', 0, [NO_LIST]),
        ('{"dependencies": [{"name": "kept", "version": "1.0", "vulns": []}]}', 0, ["advisories: none for 1 packages"]),
        (
            f'{{"dependencies": [{NOT_KNOWN}, {{"name": "kept", "version": "1.0", '
            '"vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}]}',
            1,
            ["advisories: the list does not know moved", "advisories: kept 1.0: CVE-1, fixed in 1.1"],
        ),
    ],
    ids=["no answer", "knows nothing", "none", "one"],
)
def test_a_new_lock_says_what_changed_and_what_advisories_say(checkout, audit, code, told):
    """scripts/lock names each package that came, went or changed, then the advisories; a list of none is no check."""
    uv = checkout.parent / "tools/uv"
    uv.parent.mkdir()
    uv.write_text(UV)
    uv.chmod(0o755)
    for level in LEVELS:
        (checkout / f"requirements/{level}.txt").write_text("gone==1.0 --hash=x\nkept==1.0\nmoved==1.0\n")
    path = f"{uv.parent}{os.pathsep}{os.environ['PATH']}"
    call = start(checkout, script="lock", PATH=path, AUDIT=audit)
    out, err = call.communicate()
    changed = ["  gone  1.0 -> (none)", "  moved  1.0 -> 2.0", "  new  (none) -> 1.0"]
    expected = [line for level in ("dev", "core") for line in (f"requirements/{level}.txt:", *changed)]
    assert (call.returncode, out.splitlines(), err) == (code, expected + told, "")
    call = start(checkout, "--check", script="lock", PATH=path, AUDIT=audit)
    assert (call.communicate()[0].splitlines(), call.returncode) == (told, code)


def test_the_locks_agree():
    """Development holds every package of the core in the same version, so that it can stand in for it."""
    assert locked("core").items() < locked("dev").items()


def test_the_locks_cover_the_project():
    """Every dependency of pyproject.toml is locked, the extras dev and ray in the lock for development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {"core": project["dependencies"], "dev": extras["dev"] + extras["ray"]}
    for level, requirements in wanted.items():
        names = {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in requirements}
        assert names
        assert names <= locked(level).keys()


@pytest.mark.parametrize("level", LEVELS)
def test_a_lock_is_for_any_machine(level):
    """A lock has a hash for every package, and no address or path of the machine that wrote it."""
    text = (ROOT / f"requirements/{level}.txt").read_text()
    for block in re.split(r"\n(?=\S)", text):
        assert re.match(r"[a-z0-9-]+==\S+( ; [^\n]+)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n?)+$", block)
