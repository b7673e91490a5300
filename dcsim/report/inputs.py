"""What a report rests on: every input with its unit and source, the method and its limits, how to make it again."""

import re
import shlex
from collections.abc import Sequence

from dcsim.decide import RunResult
from dcsim.decide.report_data import ReportData
from dcsim.montecarlo.manifest import Manifest
from dcsim.report.document import Section
from dcsim.report.figures import MISSING, Cell, Figure
from dcsim.report.page import Passage, Row, Table, and_list, names, printable
from dcsim.report.simulated import provenance
from dcsim.scenario import sha256
from dcsim.scenario.provenance import DEFAULT, Value, values

UNITS = {
    "gpus": "GPUs",
    "spares": "GPUs",
    "in_rack_spares": "GPUs",
    "blast": "GPUs",
    "job_size": "GPUs",
    "restore_gpus": "GPUs",
    "group": "GPUs",
    "survives": "GPUs",
    "count": "gangs",
    "racks": "racks",
    "crews": "crews",
    "engineer_months": "months",
}
"""Units of the keys that are plain numbers; all others carry theirs in the value, or have none."""
SEED = "--seed"
NOT_SHOWN = ("name", "description")
LONG = re.compile(r"(?<![\d.,])\d{5,}")
LONGEST_VALUE, LONGEST_SOURCE, MOST_ROWS = 80, 160, 250
"""Letters and rows; source: assumed, so that a report of a large file fits into a mail."""
METHOD = (
    (
        "What is simulated",
        "Every failure of every component over the whole horizon: it hits a job or free hardware, is detected, "
        "spares are swapped in, state is restored, work since the last checkpoint is lost, hardware is repaired and "
        "returns. Jobs of higher priority take hardware from lower ones. A replication is one such run; its random "
        "numbers depend on the seed, the replication and the hazard alone, so two offers draw their failures alike.",
    ),
    (
        "What is counted",
        "Every GPU is in exactly one of 13 states at every instant; that is checked in whole GPU-milliseconds in every "
        "replication. Goodput loss is one less useful GPU-hours by all GPU-hours, spare and idle ones included.",
    ),
    (
        "Intervals",
        "± is the half width of the 95 % interval of a mean over replications; P5 and P95 bound nine single runs in "
        "ten. Both describe chance, not whether the inputs are right.",
    ),
    (
        "Money",
        "The renter's bill of ClusterMAX: rent, storage, network, support, set-up, debugging; and licences. The all-in "
        "price divides the bill without its goodput line by the useful GPU-hours, so a loss is paid once.",
    ),
    (
        "Limits",
        "Jobs run at a constant speed and never change; the mix of jobs is fixed; hardware fails as the hazards say, "
        "independently unless the scenario says otherwise. Nothing is said of a cluster's queue, of people, or of "
        "contracts. MTBF and prices are inputs: a report is as good as they are.",
    ),
)


def inputs_section(data: ReportData) -> Section:
    """Return every value of the scenarios with where it is from; what nobody gave stands apart."""
    given: list[Row] = []
    defaults: list[Row] = []
    columns = [{each.key: each for each in values(run.scenario)} for run in data.runs]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    for key in keys:
        if key.rpartition(".")[2] in NOT_SHOWN:
            continue
        cells = [_value(key, column.get(key)) for column in columns]
        sources = [manifest.origins.get(key, "") for manifest in data.manifests]
        row = Row(printable(key, LONGEST_VALUE), (*cells, _sources(sources)), strong=len(set(cells)) > 1)
        known = [source for source in sources if source]
        (defaults if known and all(source.startswith(DEFAULT) for source in known) else given).append(row)
    given.sort(key=lambda row: not row.strong)
    heads = (*names(data.runs), "source")
    bold = " Rows in bold differ between the scenarios." if len(data.runs) > 1 else ""
    return Section(
        "inputs",
        "Inputs",
        (
            "Keys are written as --set takes them. Sources are the comments in the scenario's file: deck is the "
            "published calculation, public something anybody can look up, assumed nobody's measurement." + bold,
        ),
        (_table("Given", heads, given),),
        (_table("Defaults", heads, defaults),) if defaults else (),
    )


def _table(title: str, heads: tuple[str, ...], rows: Sequence[Row]) -> Table:
    left = len(rows) - MOST_ROWS
    notes = (f"{left:,} further values stand in scenario.toml, in the folder of the run.",) if left > 0 else ()
    return Table(title, heads, tuple(rows[:MOST_ROWS]), corner="key", notes=notes)


def _value(key: str, given: Value | None) -> Cell:
    """Return a value with its unit; a plain number without one is a figure."""
    if given is None:
        return MISSING
    last = key.rpartition(".")[2]
    shown = given.text.replace(",", "") if last == "seed" else LONG.sub(_grouped, given.text)
    unit = UNITS.get(last, "").removesuffix("s" if shown == "1" else "")
    if given.number is not None and not unit:
        figure = Figure(given.number, len(shown.partition(".")[2]))
        if str(figure) == shown:
            return figure
    return printable(f"{shown} {unit}".strip(), LONGEST_VALUE)


def _grouped(found: "re.Match[str]") -> str:
    return f"{int(found[0]):,}"


def _sources(sources: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(printable(source, LONGEST_SOURCE) for source in sources if source)) or MISSING


def method_section(data: ReportData) -> Section:
    """Return how the figures came about, in plain words, and what a reader should know of these runs."""
    notes = (*data.notes, *provenance(data.runs))
    return Section(
        "method",
        "Method and limits",
        (),
        (Passage("How the figures came about", METHOD), Passage("Of these runs", tuple(("", note) for note in notes))),
    )


def made(data: ReportData) -> Passage:
    """Return how to make the report again: command, seed, versions and the scenarios' hashes."""
    manifest, runs = data.manifests[0], data.runs
    items = [("command", command(data))]
    items.append(("seed", and_list([str(seed) for seed in dict.fromkeys(run.scenario.seed for run in runs)])))
    items.append(("dcsim", manifest.version))
    items.append(("with", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())))
    items += [(f"sha256 of {name}", sha256(run.scenario)) for name, run in zip(names(runs), runs, strict=True)]
    return Passage("How to make this again", tuple(items))


def command(data: ReportData) -> str:
    """Return the command that makes the same figures, on any number of cores."""
    manifest, runs = data.manifests[0], data.runs
    words = [printable(word, 200) for word in _asked(manifest, runs)]
    if manifest.origins.get("seed") == SEED:
        words += [SEED, str(runs[0].scenario.seed)]
    return shlex.join([*words, *_how_many(manifest)])


def _asked(manifest: Manifest, runs: Sequence[RunResult]) -> Sequence[str]:
    verb = "run" if len(runs) == 1 else "compare"
    if manifest.command[:2] == ("dcsim", verb):
        return manifest.command
    return ("dcsim", verb, *(f"{run.folder.name}/scenario.toml" for run in runs if run.folder is not None))


def _how_many(manifest: Manifest) -> list[str]:
    return ["-n", str(manifest.wanted)] if manifest.precision is None else ["--precision", manifest.precision]
