"""Wheel and sdist, away from the checkout: what they carry is found, and the commands work, on every Python here."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = "{}.{}".format(*sys.version_info)
VERSIONS = [
    pytest.param(each, marks=[pytest.mark.xdist_group(f"wheel-{each}"), *([pytest.mark.exhaustive] * (each != OWN))])
    for each in ("3.11", "3.12", "3.13", "3.14")
]
PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def interpreter(version):
    """An interpreter of this version that works here, or None: a command on PATH may lead nowhere."""
    folders = [
        *os.get_exec_path(),
        *Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}*/bin"),
    ]
    for command in [sys.executable] * (version == OWN) + [
        shutil.which(f"python{version}", path=each) for each in folders
    ]:
        if command is not None:
            probe = subprocess.run([command, "-I", "-c", PROBE], capture_output=True, text=True, check=False)
            if (probe.returncode, probe.stdout.strip()) == (0, version):
                return command
    return None


@pytest.fixture(scope="module", params=VERSIONS)
def away(request, tmp_path_factory):
    """A function that runs a clean environment's Python in an empty folder, with the wheel installed in it.

    For the Python of the tests the dependencies come by a .pth file from their environment, so no network is needed;
    a .pth file in there (such as the checkout's) is not followed from here. For another Python pip installs the locked
    versions.
    """
    if (found := interpreter(request.param)) is None:
        pytest.skip(f"no working Python {request.param} here")
    folder = tmp_path_factory.mktemp("wheel")
    own = request.param == OWN
    foreign = ("PYTHON", "PIP_") if own else ("PYTHON",)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}

    def call(*command, **options):
        options = {"cwd": folder, "env": environment, "capture_output": True, "text": True, **options}
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call(sys.executable, "-m", "hatchling", "build", "-d", folder / "dist", cwd=ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    call(found, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    if own:
        (site,) = folder.glob("venv/lib/python3.*/site-packages")
        here = sysconfig.get_paths()
        (site / "dependencies.pth").write_text(f"{here['purelib']}\n{here['platlib']}\n")
    else:
        locked = ("--require-hashes", "--only-binary", ":all:", "--no-compile", "--retries", "2")
        pip = [python, "-m", "pip", "install", "-qq", *locked, "-r", ROOT / "requirements/core.txt"]
        done = subprocess.run(pip, env=environment, capture_output=True, text=True, check=False)
        if "connection broken by" in done.stderr and done.returncode:
            pytest.skip(f"no network to install what dcsim needs on Python {request.param}")
        assert done.returncode == 0, done.stderr
    (folder / "empty").mkdir()

    def run(*arguments, **options):
        return call(python, "-W", "error", *arguments, **{"cwd": folder / "empty", **options})

    run.bin = python.parent
    run.call = call
    run.wheel = wheel
    # hatchling is beside the dependencies of the tests, and pip gets it for another Python
    run.isolated = ("--no-build-isolation", "--no-index") if own else ()
    return run


def toml_names(folder):
    """Names of the TOML files under a folder of the checkout, as dcsim names them."""
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.toml"))


def test_the_wheel_is_what_runs(away):
    """The installed copy is imported, not the checkout."""
    assert Path(away("-c", "import dcsim; print(dcsim.__file__)").strip()).is_relative_to(away.bin.parent)


@pytest.mark.parametrize("kind", ["scenarios", "topologies"])
def test_every_shipped_file_is_in_the_wheel(away, kind):
    """The wheel holds every scenario and topology of the checkout, byte for byte, and no others."""
    code = (
        "import json; from dcsim.shipped import shipped_files; "
        f"print(json.dumps({{name: str(path) for name, path in shipped_files({kind!r}).items()}}))"
    )
    found = json.loads(away("-c", code))
    assert sorted(found) == toml_names(ROOT / kind)
    assert found
    for name, path in found.items():
        assert Path(path).is_relative_to(away.bin.parent)
        assert Path(path).read_bytes() == (ROOT / kind / f"{name}.toml").read_bytes()


def test_both_ways_to_start_it_give_the_version(away):
    """`python -m dcsim --version` and the installed command print the version that the metadata names."""
    version = away("-c", "from importlib.metadata import version; print(version('dcsim'))").strip()
    by_module = away("-m", "dcsim", "--version")
    assert version in by_module.split()
    assert away.call(away.bin / "dcsim", "--version") == by_module


def test_a_shipped_scenario_is_estimated_by_name(away):
    """The Gold tier answers by its name with the loss and the cost of the deck: 6.14 % and $574,912,276."""
    (gold,) = json.loads(away("-m", "dcsim", "estimate", "pretrain-5184/gold", "--json"))["scenarios"]
    assert round(100 * gold["goodput"]["goodput_loss"], 2) == 6.14
    assert int(gold["tco"]["total_usd"]) == 574_912_276


@pytest.mark.parametrize("engine", ["simpy", "auto"])
def test_every_python_simulates_the_same_bytes(away, dcsim, tmp_path, engine):
    """A run by the installed copy keeps the files of one by the Python of the tests; the manifest names the Python."""
    given = ("run", "small.toml", "-n", "9", "--workers", "1", "--engine", engine, "--no-report")
    assert dcsim(*given, "-o", "here").exit_code == 0
    away("-m", "dcsim", *given, "-o", "there", cwd=tmp_path)
    kept = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "here", tmp_path / "there")
    ]
    names = [json.loads(files.pop(next(path for path in files if path.name == "manifest.json"))) for files in kept]
    for manifest in names:
        assert manifest.pop("python")
    assert names[0] == names[1]
    assert kept[0] == kept[1] != {}


def test_the_sdist_gives_the_same_wheel(away, tmp_path):
    """The wheel that pip builds from the sdist holds the same files as the one that is built in the checkout."""
    (sdist,) = away.wheel.parent.glob("*.tar.gz")
    away.call(
        away.bin / "python",
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        *away.isolated,
        "-w",
        tmp_path / "built",
        sdist,
    )
    (built,) = (tmp_path / "built").iterdir()
    names = [zipfile.ZipFile(each).namelist() for each in (built, away.wheel)]
    assert sorted(names[0]) == sorted(names[1])
    for name in names[0]:
        assert zipfile.ZipFile(built).read(name) == zipfile.ZipFile(away.wheel).read(name), name
