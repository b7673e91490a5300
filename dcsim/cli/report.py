"""`dcsim report`: a run, a comparison or a decision as one page to forward; and what verbs write by default."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import Asked, Count, Word, example, writable
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import out, out_document, say

if TYPE_CHECKING:
    from dcsim.decide import Comparison, RunResult
    from dcsim.decide.gates import Judged
    from dcsim.decide.questions import Question
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


def _kept(context: click.Context, parameter: click.Parameter, given: tuple[Path, ...]) -> tuple[Path, ...]:
    """Refuse what is no folder that dcsim wrote, each in a line with the nearest one that is; damaged ones pass."""
    from dcsim.scenario import Problem, ScenarioError

    found = [(folder, why) for folder in given if not _is_kept(folder) and (why := _why_not(folder))]
    if found:
        raise ScenarioError([Problem(str(folder), None, "", why) for folder, why in found])
    return given


def _is_kept(folder: Path) -> bool:
    """Whether a folder holds a run, a comparison or a question, be it a damaged one."""
    from dcsim.decide.sweep_files import QUESTION
    from dcsim.montecarlo.manifest import BACKUP, MANIFEST

    return os.path.isdir(folder) and any(os.path.lexists(folder / name) for name in (MANIFEST, BACKUP, QUESTION))


def _kept_in(folder: Path) -> list[str]:
    """Return the names of what is kept in a folder; of one that cannot be read none."""
    from dcsim.files import names_in

    try:
        return [name for name in names_in(folder) if _is_kept(folder / name)]
    except (OSError, ValueError):
        return []


def _why_not(given: Path) -> str:
    """Say what is there instead of a folder that dcsim wrote, and which ones are near."""
    from dcsim.wording import nearest, offered

    inside = [given.parent] if _is_kept(given.parent) else []
    if os.path.isdir(given):
        found, near = "holds no run of dcsim", [given / name for name in _kept_in(given)]
    elif os.path.lexists(given):
        found, near = "is not a folder", inside
    else:
        places = dict.fromkeys((given.parent, Path("outputs")))
        near = [place / name for place in places for name in nearest(given.name, _kept_in(place))]
        found, near = "no such folder", near or inside
    must = "must be the folder of a run, comparison, sweep, table, search or sensitivity"
    return f"{found}; {must}{offered([str(each) for each in near])}"


@click.command(
    "report",
    epilog=example(
        "dcsim report outputs/gold-tier-0fb2f8a1-1",
        "dcsim report outputs/compare-gold-tier-silver-tier-5d2c9a3e --format markdown",
        "dcsim report outputs/gold-tier-0fb2f8a1-1 outputs/silver-tier-77aa01c2-1",
        "dcsim report outputs/sweep-gold-tier-2b7c1d90 --format csv -o -",
        'dcsim report outputs/gold-tier-0fb2f8a1-1 --format trace --window "10 d:12 d"',
    ),
)
@click.argument("given", metavar="RUN…", nargs=-1, required=True, type=click.Path(path_type=Path), callback=_kept)
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

    So too of a sweep, a table, a search for the best and a sensitivity: from kept runs, of which none is simulated
    again. Nothing in a run is changed. What the report of a run needs and the run does not keep is simulated again, to
    the same figures.
    """
    from dcsim.montecarlo.comparison_folder import group_command, members, write_group

    context = click.get_current_context()
    decisions = [question for folder in given if (question := _question(folder)) is not None]
    if decisions:
        _again(decisions, given, kind, output, (replication, window, nodes))
        return
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
            command = group_command(given[0]) or _command(folders)
            made = _opened(folders, workers, command)
            text = iter([_rendered(kind, made)])
    if str(output) == "-":
        out_document(each for each in text if isinstance(each, str))
        return
    if output is None:
        output = (given[0] if len(given) == 1 else write_group(folders, _command(folders))) / FILES[kind]
    _write(output, text)
    out(str(output))


def _question(folder: Path) -> "Question | None":
    """Return what was asked in the folder of a sweep, table, race or sensitivity; None for any other folder."""
    from dcsim.decide.sweep_files import QUESTION
    from dcsim.files import kind_of

    if kind_of(folder / QUESTION) is None:
        return None
    from dcsim.decide.questions import Question

    return Question.read(folder)


def _again(
    questions: "Sequence[Question]", given: Sequence[Path], kind: str, output: Path | None, of_trace: tuple[Any, ...]
) -> None:
    """Write the report of a question from its kept runs; nothing is simulated."""
    context = click.get_current_context()
    if len(given) > 1:
        raise click.UsageError("Name one sweep, table, search or sensitivity, or the folders of runs.", context)
    if kind == "trace":
        raise click.UsageError("A trace is of one run: name its folder, which lies in this one.", context)
    if of_trace != (None, None, None):
        raise click.UsageError("--replication, --window and --nodes are for --format trace.", context)
    question, judged = questions[0], list["Judged"]()
    more: dict[str, Any] = {}
    with ProgressLine(doing="writing the report"):
        if question.verb == "sweep":
            from dcsim.report.limits import judging_points, limits_of

            more["each"] = judging_points(limits_of(question.command), judged)
        text = _renderer(kind)(_decision(question, question.answer(given[0], **more), judged))
    if str(output) == "-":
        out_document([text])
        return
    path = output or given[0] / FILES[kind]
    _write(path, [text])
    out(str(path))


def _decision(question: "Question", found: Any, judged: "Sequence[Judged]") -> "Page":
    """Return the whole report of an answer."""
    from dcsim.decide.gates import in_order
    from dcsim.report.limits import with_limits
    from dcsim.report.optimize_page import optimum_document
    from dcsim.report.sensitivity_page import sensitivity_document
    from dcsim.report.sweep_report import sweep_document
    from dcsim.report.tables_page import energisation_document, table_document

    pages: dict[str, Callable[..., Page]] = {
        "energisation": energisation_document,
        "optimize": optimum_document,
        "sensitivity": sensitivity_document,
        "sweep": sweep_document,
        "table": table_document,
    }
    return with_limits(pages[question.verb](found, question.again, question.notes), in_order(judged))


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


def _opened(folders: Sequence[Path], workers: int | None, command: Sequence[str]) -> "ReportData":
    """Return the report data of kept runs; several are ranked as the noted ``command`` has it."""
    from dcsim.decide.comparison import recompare
    from dcsim.decide.report_data import comparison_data, reopened
    from dcsim.decide.verdict import by_of

    if len(folders) == 1:
        return reopened(folders[0], workers)
    return comparison_data(replace(recompare(folders, workers), by=by_of(command)))


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


def write_decision(question: "Question", found: Any, asked: Asked, judged: "Sequence[Judged]" = ()) -> None:
    """Keep what was asked beside its runs, so that its report can be written again, and write the report."""
    from dcsim.decide.questions import folder_of

    folder = folder_of(found)
    assert folder is not None
    question.keep(folder)
    if asked.report:
        write_page(folder, lambda: _decision(question, found, judged), asked)


def write_page(folder: Path, page: "Callable[[], Page]", asked: Asked) -> None:
    """Write a page into a folder as its report, and say so as ``write_runs``."""
    with ProgressLine(doing="writing the report"):
        text = _renderer("html")(page())
    _tell(folder / FILES["html"], text, asked)


def _tell(path: Path, text: str, asked: Asked) -> None:
    _write(path, [text])
    if not asked.as_json:
        out(f"report: {path}")
