"""The reports that are opened: what they are of, and how they are made by the command line."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from click.testing import CliRunner

MARKUP = "<script>alert(1)</script>"
TURNED = "\u202etxet denrut\u202c \u2067right\u2069 zero\u200bwidth\ufeff"
QUOTES = """ "'`>&amp;&#39;</title></style></svg>--> {{ 7 * 7 }} {% raw %} %s $\\frac{$ \\ """


@dataclass(frozen=True, slots=True)
class Report:
    """A report, and what its command printed."""

    file: Path
    printed: str

    @property
    def answer(self) -> str:
        """The sentence that the terminal begins with, on one line."""
        return " ".join(self.printed.split()).partition(". ")[0]


def hostile(name: str, **changes: Any) -> dict[str, Any]:
    """A small scenario in which everything that can be named has a name that wants to be something else."""
    job = {"kind": "checkpoint-restart", "checkpoint_every": "30 min", "restore": "5 min"}
    hazard = {"component": "gpu", "mtbf": "1000 h", "blast": 4, "detect": "5 min"}
    stages = [{"name": f"<img src=x onerror=alert(4)>{TURNED}{QUOTES}", "time": "1 h", "crews": 1}]
    return {
        "name": name,
        "description": f"<img src=x onerror=alert(2)>{TURNED}{QUOTES}{'d' * 9_000}",
        "horizon": "60 d",
        "seed": 7,
        "cluster": {"topology": "gb300-nvl72", "gpus": 144, "spares": 8},
        "jobs": [
            {"name": f"<svg onload=alert(3)>{TURNED}{QUOTES}"[:200], "gpus": 64, "recovery": job},
            {"name": "j" * 200, "gpus": 64, "recovery": job},
        ],
        "hazards": [
            {**hazard, "name": f"<b>{TURNED}{QUOTES}"[:200], "repair": stages},
            {**hazard, "name": "h" * 200, "repair": "1 h"},
        ],
        "tco": {"gpu_hour": "4 USD", "hot_storage": {"size": "1 TiB", "price": "0.1 USD/GiB/mo"}},
        **changes,
    }


def many() -> dict[str, Any]:
    """A scenario with as many jobs and causes as a real cluster has."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "1 h"}
    hazard = {"component": "gpu", "mtbf": "400000 h", "blast": 8, "repair": "1 h"}
    return {
        "name": "Many jobs and causes",
        "horizon": "30 d",
        "cluster": {"topology": "hgx-h100", "gpus": 2048},
        "jobs": [{"name": f"job of team {number}", "gpus": 8, "recovery": recovery} for number in range(200)],
        "hazards": [{**hazard, "name": f"cause {number}"} for number in range(50)],
    }


WRITTEN = {
    "hostile.toml": hostile(f"{MARKUP}{QUOTES}{TURNED}"),
    "long's & <b>.toml": hostile("x" * 10_000),
    "free.toml": {key: value for key, value in hostile("Without prices").items() if key != "tco"},
    "many.toml": many(),
    "alike.toml": hostile("训练集群 🚀 مرحبا"),
    "again.toml": hostile("训练集群 🚀 مرحبا", cluster={"topology": "gb300-nvl72", "gpus": 144, "spares": 0}),
}
COMMANDS = {
    "tiers": ["compare", "pretrain-5184/gold", "pretrain-5184/hyperscaler", "pretrain-5184/silver", "-n", "8"],
    "once": ["run", "pretrain-5184/silver", "-n", "1"],
    "unknown": ["run", "unknowns/mtbf-unknown", "-n", "72"],
    "plant": ["run", "plant/feed-capped", "-n", "2"],
    "free": ["run", "free.toml", "-n", "8"],
    "many": ["run", "many.toml", "-n", "4"],
    "alike": ["compare", "alike.toml", "again.toml", "-n", "8"],
    "hostile": ["compare", "hostile.toml", "long's & <b>.toml", "-n", "16"],
}


def make(name: str, folder: Path) -> Report:
    """Make a report as its reader would, in a folder of its own."""
    from dcsim.cli import app

    folder.mkdir()
    for file, scenario in WRITTEN.items():
        (folder / file).write_bytes(tomli_w.dumps(scenario).encode())
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, [*COMMANDS[name], "--workers", "1"])
    assert done.exit_code == 0, done.stderr
    reports = list(folder.rglob("report.html"))
    assert reports, sorted(folder.rglob("*"))
    return Report(max(reports, key=lambda file: file.stat().st_size), done.stdout)
