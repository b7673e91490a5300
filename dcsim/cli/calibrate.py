"""`dcsim calibrate`: from what a site wrote down to rates, and to a scenario that has them."""

import hashlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcsim.calibrate.priors import PUBLISHED, WEIGHT
from dcsim.cli.options import JSON, Count, Word, example, options
from dcsim.cli.progress import ProgressLine
from dcsim.cli.report import _file as writable_file
from dcsim.cli.screen import out, out_document, out_page
from dcsim.parts import PARTS

if TYPE_CHECKING:
    from dcsim.calibrate import Calibration
    from dcsim.calibrate.fragment import Entry
    from dcsim.records import Outages
    from dcsim.report.calibrate_page import Told
    from dcsim.topology.description import TopologyDescription

COMPONENTS = ("gpu", "node", "rack", *PARTS)
NONE = "none"
GPUS = 1_024
"""Size of the cluster of a scenario whose record is of parts that hold no GPU; source: assumed."""


class RecordsError(Exception):
    """Records that cannot be used; one line for each of ``problems``."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Wanted:
    """What was asked of the record: values of the verb's options."""

    files: tuple[Path, ...]
    columns: tuple[str, ...]
    where: tuple[str, ...]
    dates: str | None
    classes: str | None
    together: bool
    failures: int | None
    units: int | None
    span: str | None
    component: str
    topology: str
    prior: str
    prior_weight: float

    @property
    def record(self) -> str:
        """The names of the files, or what was said in their place."""
        return ", ".join(each.name for each in self.files) or f"{self.failures} failures"

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that asks this."""
        words = ["dcsim", "calibrate", *map(str, self.files)]
        for option, values in (("--columns", self.columns), ("--where", self.where)):
            words += [word for value in values for word in (option, value)]
        given = (
            ("--dates", self.dates), ("--class", self.classes), ("--failures", self.failures), ("--units", self.units),
            ("--span", self.span), ("--component", None if self.component == "node" else self.component),
            ("--topology", None if self.topology == "hgx-h100" else self.topology),
            ("--prior", None if self.prior == NONE else self.prior),
            ("--prior-weight", None if self.prior_weight == WEIGHT else f"{self.prior_weight:g}"),
        )  # fmt: skip
        words += [word for option, value in given if value is not None for word in (option, str(value))]
        return (*words, *(["--together"] if self.together else []))


@click.command(
    "calibrate",
    epilog=example(
        "dcsim calibrate outages.csv --units 512 -o calibrated.toml",
        'dcsim calibrate tickets.csv --columns start="Opened at" --columns component="Host" --class Cause --units 64',
        'dcsim calibrate lanl.csv --where "System = 20" --dates "month first" --report page.html',
        'dcsim calibrate --failures 2 --units 8 --span "30 d" --prior llama3 -o calibrated.toml',
    ),
)
@options(
    click.argument("files", metavar="[FILE…]", nargs=-1, type=click.Path(path_type=Path)),
    click.option(
        "--columns", multiple=True, metavar="ROLE=COLUMN",
        help='Which column holds what, where its name does not say: start, end, repair_h, repair_min, component, kind: '
        'start="Prob Started"; component="Rack+Slot" joins two (repeatable).',
    ),
    click.option(
        "--where", multiple=True, metavar="CONDITION",
        help='Take only rows of which this holds: "System = 20", "Cause != Planned, Test", "Year = 2021..2023" '
        "(repeatable; all must hold).",
    ),
    click.option(
        "--dates", type=Word(["day first", "month first"]), help="Which comes first in dates such as 3/4/2024.",
    ),
    click.option("--class", "classes", metavar="COLUMN", help="The column by which failures are told apart."),
    click.option("--together", is_flag=True, help="Tell no classes apart."),
    click.option(
        "--failures", type=Count(0, 10**7), metavar="N", help="A count of failures in the place of a file.",
    ),
    click.option(
        "--units", type=Count(1, 10**7), metavar="N",
        help="Components in service (default: those that the record names, which leaves out any that never failed).",
    ),
    click.option(
        "--span", metavar='"180 d"', help="How long the record is (default: from its first outage to its last moment).",
    ),
    click.option(
        "--component", type=Word(COMPONENTS), default="node", metavar="KIND",
        help="What fails, as scenarios call it: node, gpu, rack, leaf, … (default: node).",
    ),
    click.option(
        "--prior", type=Word([NONE, *PUBLISHED]), default=NONE,
        help="A published rate that is believed before the record; it matters where failures are few (default: none).",
    ),
    click.option(
        "--prior-weight", type=click.FloatRange(0.5, 1000), default=WEIGHT, metavar="N",
        help="As many failures the prior weighs as much as (default: 4, the spread between published fleets).",
    ),
    click.option(
        "--topology", default="hgx-h100", metavar="NAME",
        help="Topology of the scenario; says how many GPUs a node holds (default: hgx-h100).",
    ),
    click.option(
        "-o", "--output", type=click.Path(path_type=Path), metavar="NEW.toml",
        help="Write a scenario with these rates; what the record does not tell is assumed and marked so. Never "
        "overwrites.",
    ),
    click.option(
        "--into", metavar="SCENARIO",
        help="Take all but the hazards from this scenario; without -o, print what to put in their place.",
    ),
    click.option(
        "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="PAGE.html", callback=writable_file,
        help="Write a page with a picture of every estimate.",
    ),
    click.option(
        "--format", "kind", type=Word(["text", "json", "csv"]), default="text", help="What to print (default: text).",
    ),
    JSON,
)  # fmt: skip
def calibrate_command(
    output: Path | None, into: str | None, report: Path | None, kind: str, as_json: bool, **given: Any
) -> None:
    """Estimate from a site's records how often its components fail and for how long, each with an interval.

    FILE is a table of outages (CSV, parquet, JSON lines); several are read as one. Says what stands out: bursts, units
    that fail often, trends, repairs with a long tail. -o writes it as a scenario in which what the record leaves open
    is drawn anew for each run.
    """
    wanted = Wanted(**given)
    kind = "json" if as_json else kind
    _checked(wanted, output, into)
    description = _described(wanted)
    gpus = _gpus(wanted.component, description)
    if wanted.prior != NONE and not gpus:
        raise click.BadParameter(
            f"{wanted.component} holds no GPU; published rates are of nodes and GPUs.", param_hint="--prior"
        )
    with ProgressLine(doing="calibrating"):
        found = _calibration(wanted, gpus)
    from dcsim.report.calibrate_page import Told, calibrate_page, document

    told = Told(wanted.component, wanted.record, gpus)
    parts, text = _text(found, told, wanted, description, output, into)
    page = None if report is None else _report(found, told, wanted)
    if kind == "json":
        from dcsim.cli.screen import out_json

        out_json(document(found, told))
    elif kind == "csv":
        from dcsim.report.csv_export import csv_text

        out_document([csv_text(calibrate_page(found, told))])
    else:
        from dcsim.cli.screen import styled
        from dcsim.report.terminal import show

        show(calibrate_page(found, told), styled(sys.stdout))
    if output is not None:
        _written(output, text)
    if report is not None and page is not None:
        from dcsim.cli.topology_import import write_file

        write_file(report, page.encode())
    if kind == "text":
        _tell(wanted, told, parts, text, output, into, report)


def _checked(wanted: Wanted, output: Path | None, into: str | None) -> None:
    """Refuse what does not go together, before any file is read."""
    context = click.get_current_context()
    if not wanted.files and wanted.failures is None:
        raise click.UsageError("Name a file, or say --failures, --units and --span.", context)
    if wanted.failures is not None:
        if wanted.files:
            raise click.BadParameter("it takes the place of a file; found both.", param_hint="--failures")
        for option, value in (("--units", wanted.units), ("--span", wanted.span)):
            if value is None:
                raise click.BadParameter(f"needs {option}, too.", param_hint="--failures")
    if wanted.together and wanted.classes is not None:
        raise click.BadParameter("tells no classes apart; found --class, too.", param_hint="--together")
    if output is not None:
        if output.suffix != ".toml":
            raise click.BadParameter(f"{output} must end in .toml, so that other verbs read it.", param_hint="--output")
        if os.path.lexists(output):
            raise click.BadParameter(f"{output} exists and is not overwritten.", param_hint="--output")


def _described(wanted: Wanted) -> "TopologyDescription":
    from dcsim.topology.description import TopologyError, resolve

    try:
        return resolve(wanted.topology)
    except TopologyError as error:
        raise RecordsError([f"--topology: {line}" for line in error.problems]) from None


def _gpus(component: str, description: "TopologyDescription") -> int:
    """Return the GPUs of one component; 0 where it holds none."""
    node = description.node.gpus
    return {"gpu": 1, "node": node, "rack": node * description.rack.nodes}.get(component, 0)


def _hours(text: str | None) -> float | None:
    if text is None:
        return None
    from pydantic_core import PydanticCustomError

    from dcsim.units import MS_PER_H, POSITIVE_DURATION, parse

    try:
        return parse(text, POSITIVE_DURATION) / MS_PER_H
    except PydanticCustomError as error:
        raise click.BadParameter(f"{error.message()}.", param_hint="--span") from None


# --- records --------------------------------------------------------------------------------------------------------


def _calibration(wanted: Wanted, gpus: int) -> "Calibration":
    """Read the record and estimate; raises RecordsError."""
    from dcsim.calibrate import Prior, calibrated
    from dcsim.calibrate.site import SpanError, UnitsError, joined, of_count

    prior: Prior | None = None
    if wanted.prior != NONE:
        prior = Prior.of(wanted.prior, gpus, wanted.prior_weight)
    span_h = _hours(wanted.span)
    if wanted.failures is not None:
        assert wanted.units is not None
        assert span_h is not None
        return of_count(wanted.failures, wanted.units, span_h, prior)
    try:
        return calibrated(joined(_read(wanted)), wanted.units, span_h, wanted.together, prior)
    except UnitsError as error:
        raise RecordsError([f"{wanted.record}: units: {error}; say how many are in service: --units"]) from None
    except SpanError as error:
        raise RecordsError([f'{wanted.record}: span: {error}; say how long the record is: --span "180 d"']) from None


def _read(wanted: Wanted) -> "list[Outages]":
    """Read every file; raises RecordsError with what is wrong with each."""
    from dcsim.records import RecordError, read_outages

    columns = _columns(wanted)
    found, problems = [], []
    for file in wanted.files:
        try:
            found.append(read_outages(file, columns, wanted.where, wanted.dates))  # type: ignore[arg-type]
        except RecordError as error:
            problems.append(f"{file}: {error}")
    if problems:
        raise RecordsError(problems)
    return found


def _columns(wanted: Wanted) -> dict[str, str]:
    """Return what columns hold, role -> column."""
    from dcsim.problems import not_one_of
    from dcsim.records.outages import ROLES

    columns: dict[str, str] = {} if wanted.classes is None else {"kind": wanted.classes}
    for text in wanted.columns:
        role, equals, column = text.partition("=")
        role = role.strip()
        if not equals or not column.strip():
            raise click.BadParameter(f'found "{text}"; must be ROLE=COLUMN.', param_hint="--columns")
        if role not in ROLES:
            why = not_one_of(list(ROLES), role, f'found "{role}"')
            raise click.BadParameter(f"{why}.", param_hint="--columns")
        if role in columns:
            twice = "--class" if role == "kind" and wanted.classes is not None else "twice"
            raise click.BadParameter(f'"{role}" is given {twice}.', param_hint="--columns")
        columns[role] = column.strip()
    return columns


# --- what is written ------------------------------------------------------------------------------------------------


def _text(
    found: "Calibration", told: "Told", wanted: Wanted, description: "TopologyDescription", output: Path | None,
    into: str | None,
) -> "tuple[list[Entry], str]":  # fmt: skip
    """Return the tables, and the text of the scenario to write; empty where none is asked for. It loads."""
    from dcsim.calibrate.fragment import Site, entries, replaced, scenario_text
    from dcsim.report.calibrate_page import sentences

    parts = entries(found, told.component)
    if output is None and into is None:
        return parts, ""
    if into is not None:
        text = _scenario(into)
        try:
            return parts, _loaded(replaced(text, parts), into)
        except ValueError as error:
            raise RecordsError([f"--into {into}: {error}"]) from None
    assert output is not None
    units = found.whole.units
    gpus = units * told.gpus if told.gpus else GPUS
    gpus += -gpus % description.node.gpus
    site = Site(
        output.stem, told.record, told.component, wanted.topology, gpus, description.node.gpus,
        f"Calibrated from {told.record}. {sentences(found, told)[0]}",
    )  # fmt: skip
    return parts, _loaded(scenario_text(found, site), str(output))


def _scenario(into: str) -> str:
    """Return the text of a scenario file that stands alone."""
    import tomllib

    from dcsim.scenario.layers import find
    from dcsim.textfile import NoTextError, read_text

    path = find(into)
    try:
        text = read_text(path)
        data = tomllib.loads(text)
    except NoTextError as error:
        raise RecordsError([f"--into {into}: {error.why}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise RecordsError([f"--into {into}: {error}"]) from None
    if "extends" in data:
        raise RecordsError([f"--into {into}: extends another file; name one that stands alone"])
    return text


def _loaded(text: str, name: str) -> str:
    """Return a scenario's text if it loads; raises RecordsError with each problem."""
    import tomllib

    from dcsim.scenario import ScenarioError, read

    try:
        read(tomllib.loads(text))
    except ScenarioError as error:
        raise RecordsError([f"{name}: {problem}" for problem in error.problems]) from None
    return text


def _written(output: Path, text: str) -> None:
    from dcsim.files import write_new

    try:
        write_new(output, text.encode())
    except FileExistsError:
        raise click.BadParameter(f"{output} exists and is not overwritten.", param_hint="--output") from None
    except OSError as error:
        raise click.BadParameter(f"{output}: {error.strerror}.", param_hint="--output") from None


def _report(found: "Calibration", told: "Told", wanted: Wanted) -> str:
    from dcsim.report.calibrate_page import calibrate_document
    from dcsim.report.html import html

    digests = []
    for file in wanted.files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return html(calibrate_document(found, told, wanted.command, digests or ["none"]))


def _tell(
    wanted: Wanted, told: "Told", parts: "list[Entry]", text: str, output: Path | None, into: str | None,
    report: Path | None,
) -> None:  # fmt: skip
    """Say what was written and which command comes next."""
    from dcsim.calibrate.fragment import fragment_text

    out()
    if report is not None:
        out(f"report: {report}")
    if into is not None and output is None:
        out(f"Put this into {into} in the place of its hazards, and of what is uncertain of them:")
        out_page(f"\n{fragment_text(parts)}")
        return
    if output is None:
        out(f"Next: {shlex.join([*wanted.command, '-o', 'calibrated.toml'])}")
        return
    assumed = text.count("# assumed")
    rest = f"all but the hazards from {into}" if into else f"{assumed} values are assumed and marked so"
    out(f"{output}: {len([each for each in parts if each.of == 'hazards'])} hazards from the record; {rest}.")
    out(f"Next: dcsim run {shlex.quote(str(output))}")
