"""Every way into dcsim that takes what somebody else wrote, as a function of its bytes.

A door raises one of ``REFUSALS`` with lines for the user, or lets the input in; anything else is a fault.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dcsim.decide.cautions import cautions
from dcsim.decide.estimate import estimate
from dcsim.files import StoreError
from dcsim.montecarlo import UNSHARDED, RunFolder, Shard
from dcsim.montecarlo.comparison_folder import members
from dcsim.montecarlo.manifest import Manifest
from dcsim.montecarlo.merge import MergeError, merge
from dcsim.montecarlo.run_reader import read_sample
from dcsim.montecarlo.runner import replicate_many
from dcsim.records import Broken, RecordError, read_outages
from dcsim.records.forms import read
from dcsim.records.tables import opened
from dcsim.scenario import ScenarioError, load, unused_keys
from dcsim.scenario import to_toml as dumped
from dcsim.scenario.provenance import origins
from dcsim.shipped import shipped_files
from dcsim.textfile import NoTextError, read_text
from dcsim.topology import TopologyError, load_description
from dcsim.topology.build import build
from dcsim.topology.foreign import foreign
from dcsim.topology.graph import read_graph
from dcsim.topology.imported import kind_by_content, kind_of, read_tree, to_toml
from tests.unit.montecarlo_fakes import fake, small
from tests.unit.test_records_fuzz import EXAMPLES
from tests.unit.test_records_fuzz import sound as sound_record

HERE = Path(__file__).parent
REFUSALS = (ScenarioError, TopologyError, StoreError, MergeError, RecordError)
MOST_GPUS = 4096
"""Cluster up to which an input that is let in is also looked at and estimated."""


@dataclass(frozen=True)
class Door:
    """``inputs``: sound ones and some that were once a fault. ``enter``: let one in. ``toml``: whether values can be
    changed. ``share``: of all inputs of a long run."""

    inputs: Callable[[], list[bytes]]
    enter: Callable[[bytes, Path], None]
    toml: bool = False
    share: float = 1.0


def corpus(name: str) -> list[bytes]:
    """Return the saved inputs of a door, by name."""
    return [path.read_bytes() for path in sorted((HERE / "corpus" / name).iterdir())]


# --- scenarios --------------------------------------------------------------------------------------------------------


def looked_at(scenario: Any) -> None:
    """Do with a scenario all that verbs do before they simulate."""
    unused_keys(scenario)
    origins(scenario)
    if scenario.cluster.gpus <= MOST_GPUS and len(scenario.jobs) < 100:
        cautions([scenario])
        estimate(scenario)


def scenario(content: bytes, scratch: Path) -> None:
    """Load a scenario file, beside a file of outages, and look at it."""
    path = scratch / "x.toml"
    path.write_bytes(content)
    looked_at(load(path))


@cache
def scenario_inputs() -> list[bytes]:
    """The shipped scenarios, those that extend another one written out, and saved ones."""
    shipped = [
        dumped(load(path)).encode() if b"\nextends" in path.read_bytes() else path.read_bytes()
        for path in shipped_files("scenarios").values()
    ]
    return shipped + corpus("scenario")


def overrides(content: bytes, scratch: Path) -> None:
    """Load a scenario with each line as a ``--set``."""
    looked_at(load("pretrain-5184/gold", set=content.decode(errors="surrogateescape").splitlines()))


# --- topologies -------------------------------------------------------------------------------------------------------


def topology(content: bytes, scratch: Path) -> None:
    """Read a topology file and lay it out."""
    path = scratch / "t.toml"
    path.write_bytes(content)
    description = load_description(path)
    build(description, 576)


@cache
def topology_inputs() -> list[bytes]:
    """The shipped topologies, and saved ones."""
    return [path.read_bytes() for path in shipped_files("topologies").values()] + corpus("topology")


def imported(content: bytes, scratch: Path) -> None:
    """Import a topology: the first line is the file's name."""
    name, _, rest = content.partition(b"\n")
    stem = "".join(sign for sign in name.decode(errors="replace") if sign.isalnum() or sign in "._-")[:80] or "x"
    path = scratch / stem.lstrip(".")
    if path == scratch:
        return
    path.write_bytes(rest)
    try:
        text = read_text(path)
    except NoTextError as error:
        raise TopologyError([error.why]) from None
    finally:
        path.unlink()
    kind = kind_by_content(text)
    if kind == "graph":
        read_graph(text)
        return
    if kind is None and (what := foreign(stem, text)):
        raise TopologyError([f"found {what}"])
    if kind := kind or kind_of(stem, text):
        tree = read_tree(text, kind, None)
        (scratch / "t.toml").write_text(to_toml(tree, 4, name="x", source=stem))
        load_description(scratch / "t.toml")


# --- records of outages -----------------------------------------------------------------------------------------------

TRACED = """
name = "traced"
horizon = "1 mo"
seed = 5
[cluster]
topology = "hgx-h100"
gpus = 256
spares = 8
[[jobs]]
name = "pretrain"
gpus = 240
recovery = {{ kind = "stateless" }}
[[hazards]]
component = "gpu"
mtbf = {{ kind = "trace", file = "{}", repeat = true }}
repair = "4 h"
"""


def outages(ending: str) -> Callable[[bytes, Path], None]:
    """Return the door of a file of outages."""

    def enter(content: bytes, scratch: Path) -> None:
        path = scratch / f"o.{ending}"
        path.write_bytes(content)
        (scratch / "x.toml").write_text(TRACED.format(path.name))
        looked_at(load(scratch / "x.toml"))

    return enter


def outage_inputs(ending: str) -> Callable[[], list[bytes]]:
    """Return the saved files of outages."""
    return cache(lambda: [path.read_bytes() for path in sorted((HERE / "corpus/outages").glob(f"*.{ending}"))])


def table(content: bytes, scratch: Path) -> None:
    """Read a table of outages by itself, whatever it is: each row is read, left out by a condition, or broken."""
    path = scratch / "table"
    path.write_bytes(content)
    read, broken = opened(path), Broken()
    header, rows = read.header, sum(1 for _ in read.rows(broken))
    for where in ((), (f"{header[0]} != 2024-01-01", f"{header[-1]} != a")):
        found = read_outages(path, where=where, dates="day first")
        if found.rows + found.filtered + found.broken.total != rows + broken.total:
            raise AssertionError("the rows do not add up")


@cache
def table_inputs() -> list[bytes]:
    """The saved files of outages, with other delimiters too, and as JSON lines."""
    tables = outage_inputs("csv")() + outage_inputs("parquet")()
    texts = [each.replace(b",", sign) for each in outage_inputs("csv")() for sign in (b"\t", b";", b"|", b" ")]
    return tables + texts + [b'{"start": 1704067200, "end": null, "node": "n[1-3]"}\n{"start": 1704070800}\n']


def record(content: bytes, scratch: Path) -> None:
    """Read a record of the field in the form that it seems to have, and check what it gives."""
    path = scratch / "record"
    path.write_bytes(content)
    sound_record(read(path, year=2024))


@cache
def record_inputs() -> list[bytes]:
    """The examples of tests/field."""
    return [path.read_bytes() for path in EXAMPLES]


# --- folders of runs --------------------------------------------------------------------------------------------------

PARTS = ("manifest.json", "manifest.backup.json", "scenario.toml", "replications/all.parquet")


@cache
def sound(part: Shard = UNSHARDED) -> dict[str, bytes]:
    """Return the files of a finished run, or of a shard of one."""
    with TemporaryDirectory() as root:
        folder = RunFolder(Path(root), small(), shard=part)
        replicate_many([(small(), folder)], 4, workers=1, simulate=fake, shard=part)
        return {name: (folder.folder / name).read_bytes() for name in PARTS}


@cache
def folder_inputs() -> list[bytes]:
    """The files of a run, one after the other: which, then its content."""
    return [name.encode() + b"\n" + content for name, content in sound().items()]


@cache
def shard_inputs() -> list[bytes]:
    """The files of one of two shards, as those of a run."""
    return [name.encode() + b"\n" + content for name, content in sound(Shard(1, 2)).items()]


def spoilt(content: bytes, root: Path, part: Shard = UNSHARDED) -> RunFolder:
    """Lay a run, or a shard, out with one file changed."""
    name, _, rest = content.partition(b"\n")
    which = PARTS[sum(name) % len(PARTS)] if name.decode(errors="replace") not in PARTS else name.decode()
    made = RunFolder(root, small(), shard=part)
    (made.folder / "replications").mkdir(parents=True)
    for each, sound_content in sound(part).items():
        (made.folder / each).write_bytes(rest if each == which else sound_content)
    return made


def run_folder(content: bytes, scratch: Path) -> None:
    """Resume a run of which one file was changed: what comes out is what was there, or simulated anew."""
    root = scratch / "runs"
    try:
        made = spoilt(content, root)
        with suppress(StoreError):
            read_sample(made.folder)
        replicate_many([(small(), made)], 4, workers=1, simulate=fake, resume=True)
        if {name: (made.folder / name).read_bytes() for name in PARTS} != sound():
            raise AssertionError("resumed to other bytes")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def report_input(content: bytes, scratch: Path) -> None:
    """Read a run for a report, and merge a shard, of which one file was changed."""
    root = scratch / "runs"
    try:
        made = spoilt(content, root)
        found = members(made.folder)
        Manifest.read(made.folder)
        if found is None:
            read_sample(made.folder)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def merge_input(content: bytes, scratch: Path) -> None:
    """Merge shards of which one has a changed file."""
    root = scratch / "runs"
    try:
        spoilt(content, root, Shard(1, 2))
        spoilt(b"manifest.json\n" + sound(Shard(2, 2))["manifest.json"], root, Shard(2, 2))
        merge([root])
    finally:
        shutil.rmtree(root, ignore_errors=True)


DOORS = {
    "scenario": Door(scenario_inputs, scenario, toml=True, share=0.06),
    "--set": Door(cache(lambda: corpus("set")), overrides, share=0.04),
    "topology": Door(topology_inputs, topology, toml=True, share=0.20),
    "topology import": Door(cache(lambda: corpus("import")), imported, share=0.52),
    "outages, CSV": Door(outage_inputs("csv"), outages("csv"), share=0.06),
    "outages, parquet": Door(outage_inputs("parquet"), outages("parquet"), share=0.035),
    "table of outages": Door(table_inputs, table, share=0.04),
    "record of the field": Door(record_inputs, record, share=0.03),
    "run folder": Door(folder_inputs, run_folder, share=0.0025),
    "report": Door(folder_inputs, report_input, share=0.01),
    "merge": Door(shard_inputs, merge_input, share=0.0025),
}
"""Doors by name."""
