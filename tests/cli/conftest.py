"""What the tests of the command line share: a small scenario and a way to call a verb."""

import pytest
from click.testing import CliRunner

from scripts.readme import Player

SMALL = """\
name = "Small"
horizon = "20 d"
seed = 7
[cluster]
topology = "gb300-nvl72"
gpus = 144
spares = 8
[[jobs]]
name = "train"
gpus = 128
[jobs.recovery]
kind = "checkpoint-restart"
checkpoint_every = "30 min"
restore = "5 min"
[[hazards]]
component = "gpu"
mtbf = "1000 h"
mtbf_range = ["500 h", "2000 h"]
blast = 4
detect = "5 min"
repair = "1 h"
[tco]
gpu_hour = "4 USD"
hot_storage = { size = "1 TiB", price = "0.1 USD/GiB/mo" }
"""


@pytest.fixture
def dcsim(tmp_path, monkeypatch):
    """Give a function that runs one command line in an empty folder that holds small.toml and other.toml.

    Reports are for the tests about them: they cost more than the runs.
    """
    from dcsim.cli import app

    (tmp_path / "small.toml").write_text(SMALL)
    other = SMALL.replace('"Small"', '"Other"').replace('"4 USD"', '"5 USD"').replace("seed = 7", "seed = 8")
    (tmp_path / "other.toml").write_text(other.replace("spares = 8", "spares = 0"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("dcsim.cli.progress.BAR_AFTER_S", float("inf"))  # how far it is has tests of its own

    def call(*arguments, report=False):
        further = ["--no-report"] if arguments[:1] in (("run",), ("compare",)) and not report else []
        return CliRunner().invoke(app, [*map(str, arguments), *further])

    return call


@pytest.fixture(scope="session")
def player():
    """Give what runs command lines in processes of their own that need not import the program anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        started = Player()
    with started:
        yield started
