"""`dcsim calibrate`: from what a site wrote down to rates, and to a scenario that has them."""

import hashlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcsim.calibrate.priors import PUBLISHED, WEIGHT
from dcsim.cli.files import printable_stem
from dcsim.cli.options import JSON, Count, Word, example, options
from dcsim.cli.progress import ProgressLine
from dcsim.cli.records import NONE, RecordsError, Wanted, calibration, settled, shares_of
from dcsim.cli.report import _file as writable_file
from dcsim.cli.screen import out, out_document, out_json, out_page, styled
from dcsim.cli.topology_import import write_file
from dcsim.parts import PARTS

if TYPE_CHECKING:
    from dcsim.calibrate import Calibration
    from dcsim.calibrate.fragment import Entry
    from dcsim.report.calibrate_warnings import Told
    from dcsim.topology.description import TopologyDescription

FORMS = ("table", "sacct", "sacct-json", "sinfo", "sinfo-json", "slurmctld", "kernel", "dcgm", "goodput", "events")
"""Names of ``records.forms.FORMS``, whose readers are loaded when they are needed."""
COMPONENTS = ("gpu", "node", "rack", *PARTS)
GPUS = 1_024
"""Size of the cluster of a scenario whose record is of parts that hold no GPU; source: assumed."""


@click.command(
    "calibrate",
    epilog=example(
        "dcsim calibrate outages.csv --units 512 -o calibrated.toml",
        'dcsim calibrate tickets.csv --columns start="Opened at" --class Cause --units 64',
        'dcsim calibrate lanl.csv --where "System = 20" --dates "month first" --report page.html',
        'dcsim calibrate --failures 2 --units 8 --span "30 d" --prior llama3 -o calibrated.toml',
    ),
)
@options(
    click.argument("files", metavar="[FILE…]", nargs=-1, type=click.Path(path_type=Path)),
    click.option(
        "--form", type=Word(FORMS), metavar="FORM",
        help=f"What FILE is: {', '.join(FORMS)} (default: told from its content).",
    ),
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
    click.option("--year", type=Count(1970, 9000), metavar="YYYY", help="Year of the last line, where a log has none."),
    click.option(
        "--incident", metavar='"5 min"',
        help="Errors of a GPU that follow one another within this time are one failure (default: 5 min).",
    ),
    click.option("--class", "classes", metavar="COLUMN", help="The column by which failures are told apart."),
    click.option("--together", is_flag=True, help="Tell no classes apart."),
    click.option("--failures", type=Count(0, 10**7), metavar="N", help="A count of failures in the place of a file."),
    click.option(
        "--units", type=Count(1, 10**7), metavar="N",
        help="Components in service (default: those that the record names, which leaves out any that never failed).",
    ),
    click.option(
        "--span", metavar='"180 d"', help="How long the record is (default: from its first outage to its last moment).",
    ),
    click.option("--last", metavar='"90 d"', help="Take only the last part of the record."),
    click.option(
        "--component", type=Word(COMPONENTS), metavar="KIND",
        help="What fails, as scenarios call it: node, gpu, rack, leaf, … (default: node; of DCGM's exports: gpu).",
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

    FILE is a table of outages (CSV, parquet, JSON lines), what sacct, sinfo or DCGM print, or the log of slurmctld or
    of a kernel; several are read as one. Says what stands out: bursts, units that fail often, trends, long repairs. -o
    writes it as a scenario in which what the record leaves open is drawn anew for each run.
    """
    given["component"] = given["component"] or ""
    wanted = Wanted(**given)
    kind = "json" if as_json else kind
    _checked(wanted, output, into)
    wanted = settled(wanted)
    if wanted.form == "goodput":
        _show_shares(wanted, kind, {"--output": output, "--into": into, "--report": report})
        return
    description = _described(wanted)
    gpus = _gpus(wanted.component, description)
    if wanted.prior != NONE and not gpus:
        raise click.BadParameter(
            f"{wanted.component} holds no GPU; published rates are of nodes and GPUs.", param_hint="--prior"
        )
    with ProgressLine(doing="calibrating"):
        found = calibration(wanted, gpus)
    from dcsim.report.calibrate_page import calibrate_page, document
    from dcsim.report.calibrate_warnings import Told

    told = Told(wanted.component, wanted.record, gpus)
    parts, text = _text(found, told, wanted, description, output, into)
    page = None if report is None else _report(found, told, wanted)
    if kind == "json":
        out_json(document(found, told))
    elif kind == "csv":
        from dcsim.report.csv_export import csv_text

        out_document([csv_text(calibrate_page(found, told))])
    else:
        from dcsim.report.terminal import show

        show(calibrate_page(found, told), styled(sys.stdout))
    if output is not None:
        _written(output, text)
    if report is not None and page is not None:
        write_file(report, page.encode())
    if kind == "text":
        _tell(parts, text, output, into, report)


def _show_shares(wanted: Wanted, kind: str, written: dict[str, Any]) -> None:
    """Print what took the time of a job that measured it itself; there is no rate of components to write."""
    from dcsim.report.measured_page import document, measured_page, next_step

    asked = next((option for option, value in written.items() if value is not None), None)
    if asked is not None:
        why = "the form goodput tells how a job spent its time, and no rate of components; leave it out."
        raise click.BadParameter(why, param_hint=asked)
    shares, told, broken = shares_of(wanted)
    page = measured_page(shares, told, broken)
    if kind == "json":
        out_json(document(shares))
    elif kind == "csv":
        from dcsim.report.csv_export import csv_text

        out_document([csv_text(page)])
    else:
        from dcsim.report.terminal import show

        show(page, styled(sys.stdout))
        out()
        out(next_step(shares))


OUTPUTS = ("output", "into", "report", "kind", "as_json")
"""Parameters that say what is written, not what is asked."""


def _again() -> tuple[str, ...]:
    """Return the command line that asks the same, without what is written."""
    context = click.get_current_context()
    words = ["dcsim", "calibrate"]
    for parameter in context.command.params:
        name, value = parameter.name or "", context.params.get(parameter.name or "")
        if name in OUTPUTS or context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        option = [parameter.opts[0]] if isinstance(parameter, click.Option) else []
        for each in value if isinstance(value, tuple) else [value]:
            words += [*option, *([] if each is True else [str(each)])]
    return tuple(words)


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
        raise RecordsError(*[f"--topology: {line}" for line in error.problems]) from None


def _gpus(component: str, description: "TopologyDescription") -> int:
    """Return the GPUs of one component; 0 where it holds none."""
    node = description.node.gpus
    return {"gpu": 1, "node": node, "rack": node * description.rack.nodes}.get(component, 0)


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
            raise RecordsError(f"--into {into}: {error}") from None
    assert output is not None
    units = found.whole.units
    gpus = units * told.gpus if told.gpus else GPUS
    gpus += -gpus % description.node.gpus
    site = Site(
        printable_stem(output), told.record, told.component, wanted.topology, gpus, description.node.gpus,
        f"Calibrated from {told.record}. {sentences(found, told)[0]}",
    )  # fmt: skip
    return parts, _loaded(scenario_text(found, site), str(output))


def _scenario(into: str) -> str:
    """Return the text of a scenario file that stands alone."""
    from dcsim.scenario.layers import find, read_layers

    layers = read_layers(find(into))
    if len(layers) > 1:
        raise RecordsError(f"--into {into}: extends another file; name one that stands alone")
    return layers[0].text


def _loaded(text: str, name: str) -> str:
    """Return a scenario's text if it loads; raises RecordsError with each problem."""
    import tomllib

    from dcsim.scenario import ScenarioError, read

    try:
        read(tomllib.loads(text))
    except ScenarioError as error:
        raise RecordsError(*[f"{name}: {problem}" for problem in error.problems]) from None
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
    from dcsim.calibrate.findings import findings
    from dcsim.report.calibrate_page import calibrate_document
    from dcsim.report.html import html

    digests = []
    for file in wanted.files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    closely = None
    if found.whole.rate.failures and wanted.files:
        with ProgressLine(doing="looking closely"):
            closely = findings(found.outages, found.whole.units, found.span_h)
    return html(calibrate_document(found, told, _again(), digests, closely))


def _tell(parts: "list[Entry]", text: str, output: Path | None, into: str | None, report: Path | None) -> None:
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
        out(f"Next: {shlex.join([*_again(), '-o', 'calibrated.toml'])}")
        return
    assumed = text.count("# assumed")
    rest = f"all but the hazards from {into}" if into else f"{assumed} values are assumed and marked so"
    count = sum(each.of == "hazards" for each in parts)
    out(f"{output}: {count} hazard{'' if count == 1 else 's'} from the record; {rest}.")
    out(f"Next: dcsim run {shlex.quote(str(output))}")
