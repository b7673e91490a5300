"""`dcsim report`: a run, or a comparison, as one page to forward; and what `run` and `compare` write by default."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcsim.cli.options import Asked, Count, Word, example, writable
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import out, out_document, say

if TYPE_CHECKING:
    from dcsim.decide import Comparison, RunResult
    from dcsim.decide.report_data import ReportData
    from dcsim.report.document import Page

FILES = {
    "html": "report.html",
    "markdown": "report.md",
    "csv": "report.csv",
    "xlsx": "report.xlsx",
    "trace": "trace.json",
}
"""Name of the file of each format, in the folder of the run or of the comparison."""


def _file(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file that could not be written, before any work is done; - is stdout, a pipe or device is as it is."""
    from dcsim.files import StoreError, is_stream

    try:
        if path is not None and str(path) != "-" and not is_stream(path):
            writable(context, parameter, path.absolute().parent)
    except StoreError as error:
        raise click.BadParameter(f"{error}.") from None
    return path


@click.command(
    "report",
    epilog=example(
        "dcsim report outputs/gold-tier-0fb2f8a1-1",
        "dcsim report outputs/compare-gold-tier-silver-tier-5d2c9a3e --format markdown",
        "dcsim report outputs/gold-tier-0fb2f8a1-1 outputs/silver-tier-77aa01c2-1",
        'dcsim report outputs/gold-tier-0fb2f8a1-1 --format trace --window "10 d:12 d"',
    ),
)
@click.argument("given", metavar="RUN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "kind", type=Word(list(FILES)), default="html", help="What to write (default: html).")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", callback=_file,
    help="Where to write it, - for stdout (default: report.html and so on, in the folder of the run).",
)  # fmt: skip
@click.option("--workers", type=Count(1, 4096), metavar="N", help="Number of processes (default: one per core).")
@click.option(
    "--replication", type=Count(0, 2**63 - 1), metavar="N",
    help="Of a trace: which replication (default: the one of median loss).",
)  # fmt: skip
@click.option("--window", metavar="FROM:TO", help='Of a trace: which time, such as "10 d:12 d" (default: what fits).')
@click.option("--nodes", metavar="PARTS", help="Of a trace: which GPUs, such as rack/3,rack/7-9 (default: all).")
def report_command(
    given: Sequence[Path],
    kind: str,
    output: Path | None,
    workers: int | None,
    replication: int | None,
    window: str | None,
    nodes: str | None,
) -> None:
    """Write the report of a run from its folder, of a comparison from its own, or of several runs of one seed.

    Nothing in a run is changed. What a report needs and a run does not keep is simulated again, to the same figures.
    """
    from dcsim.montecarlo.comparison_folder import members, write_group

    context = click.get_current_context()
    groups = [members(folder) for folder in given]
    if len(given) > 1 and any(groups):
        raise click.UsageError("Name one comparison, or the folders of runs.", context)
    folders = [each for folder, group in zip(given, groups, strict=True) for each in (group or [folder])]
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    if output is None and len({folder.parent for folder in folders}) > 1:
        raise click.UsageError("These runs do not lie in one folder: say with -o where their report goes.", context)
    if kind == "trace":
        if len(folders) > 1:
            raise click.UsageError("A trace is of one run: name its folder.", context)
        with ProgressLine(doing="writing the report"):
            text: Iterator[str | bytes] = _trace(folders[0], replication, window, nodes)
    elif (replication, window, nodes) != (None, None, None):
        raise click.UsageError("--replication, --window and --nodes are for --format trace.", context)
    elif kind == "xlsx":
        if str(output) == "-":
            raise click.UsageError("A workbook is no text: name a file with -o.", context)
        with ProgressLine(doing="writing the report"):
            text = iter([_workbook(folders, workers)])
    else:
        with ProgressLine(doing="writing the report"):
            made = _opened(folders, workers)
            text = iter([_rendered(kind, made)])
    if str(output) == "-":
        out_document(each for each in text if isinstance(each, str))
        return
    if output is None:
        output = (given[0] if len(given) == 1 else write_group(folders, _command(folders))) / FILES[kind]
    _write(output, text)
    out(str(output))


def _trace(folder: Path, replication: int | None, window: str | None, nodes: str | None) -> Iterator[str]:
    """Return one replication's trace, piece by piece; say on stderr what it leaves out."""
    from dcsim.decide.log_analysis import Played
    from dcsim.montecarlo.run_reader import read_sample
    from dcsim.report.trace import bounds_of, nodes_of, trace_json, window_of
    from dcsim.topology.build import build

    sample = read_sample(folder)
    scenario = sample.scenario
    chosen = nodes_of(nodes, build(scenario.cluster.topology, scenario.cluster.gpus)) if nodes is not None else None
    time = window_of(window, scenario.horizon) if window is not None else None
    played = Played.typical(sample, places=True) if replication is None else Played(scenario, replication, places=True)
    found = bounds_of(played.log, scenario, played.replication, time, chosen)
    say(f"note: replication {played.replication}, {found.events:,} events; open it in ui.perfetto.dev")
    for note in found.notes:
        say(f"note: {note}")
    return trace_json(played.log, scenario, played.replication, found.window, chosen)


def _opened(folders: Sequence[Path], workers: int | None) -> "ReportData":
    from dcsim.decide.comparison import recompare
    from dcsim.decide.report_data import comparison_data, reopened

    if len(folders) == 1:
        return reopened(folders[0], workers)
    return comparison_data(recompare(folders, workers))


def _command(folders: Sequence[Path]) -> Sequence[str]:
    from dcsim.montecarlo.manifest import Manifest

    return Manifest.read(folders[0]).command


def _workbook(folders: Sequence[Path], workers: int | None) -> bytes:
    """Return the workbook of runs; it needs no reasons, so nothing is simulated again for it."""
    from dcsim.decide.outcome import reopen
    from dcsim.report.xlsx import xlsx

    runs, _ = reopen(folders, workers=workers)
    return xlsx(runs)


def _rendered(kind: str, made: "ReportData") -> str:
    from dcsim.report.full_report import document

    return _renderer(kind)(document(made))


def _renderer(kind: str) -> "Callable[[Page], str]":
    if kind == "markdown":
        from dcsim.report.markdown import markdown

        return markdown
    if kind == "csv":
        from dcsim.report.csv_export import csv_text

        return csv_text
    from dcsim.report.html import html

    return html


def _write(path: Path, text: Iterable[str | bytes]) -> None:
    from dcsim.files import make_folder, output

    make_folder(path.parent)
    with output(path) as file:
        for piece in text:
            file.write(piece.encode() if isinstance(piece, str) else piece)


# --- at the end of a run ------------------------------------------------------------------------------------------


def write_runs(runs: "Sequence[RunResult]", asked: Asked) -> None:
    """Write the report of each run into its folder, and say so unless JSON was asked for."""
    from dcsim.decide.report_data import run_data

    workers = asked.workers if asked.executor == "local" else None  # this machine's, not a cluster's
    for run in runs:
        assert run.folder is not None
        with ProgressLine(doing="writing the report"):
            text = _rendered("html", run_data(run, workers))
        _tell(run.folder / FILES["html"], text, asked)


def write_comparison(found: "Comparison", asked: Asked) -> None:
    """Write the report of a comparison into a folder of its own beside the runs, and say so as ``write_runs``."""
    from dcsim.decide.report_data import comparison_data
    from dcsim.montecarlo.comparison_folder import write_group

    folders = [run.folder for run in found.runs if run.folder is not None]
    with ProgressLine(doing="writing the report"):
        made = comparison_data(found)
        text = _rendered("html", made)
    _tell(write_group(folders, made.manifests[0].command) / FILES["html"], text, asked)


def write_page(folder: Path, page: "Callable[[], Page]", asked: Asked) -> None:
    """Write a page into a folder as its report, and say so as ``write_runs``."""
    with ProgressLine(doing="writing the report"):
        text = _renderer("html")(page())
    _tell(folder / FILES["html"], text, asked)


def _tell(path: Path, text: str, asked: Asked) -> None:
    _write(path, [text])
    if not asked.as_json:
        out(f"report: {path}")
