"""The wheel, installed away from the checkout: what it carries is found, and the commands work by name."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("wheel")  # one worker, one wheel


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """A function that runs a clean environment's Python in an empty folder, with the wheel installed in it.

    The dependencies come by a .pth file from the environment that runs the tests, so no network is needed;
    a .pth file in there (such as the checkout's) is not followed from here.
    """
    folder = tmp_path_factory.mktemp("wheel")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}

    def call(*command, **options):
        options = {"cwd": folder, "env": environment, "capture_output": True, "text": True, **options}
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", cwd=ROOT)
    (wheel,) = (folder / "dist").iterdir()
    call(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    (site,) = folder.glob("venv/lib/python3.*/site-packages")
    here = sysconfig.get_paths()
    (site / "dependencies.pth").write_text(f"{here['purelib']}\n{here['platlib']}\n")
    (folder / "empty").mkdir()

    def run(*arguments):
        return call(python, "-W", "error", *arguments, cwd=folder / "empty")

    run.bin = python.parent
    run.call = call
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
