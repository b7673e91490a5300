"""`dcsim sensitivity`: which input to measure first."""

from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import SIMULATION, Asked, Count, example, kept, options, print_result
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import say

if TYPE_CHECKING:
    from dcsim.report.document import Page


@click.command(
    "sensitivity",
    epilog=example(
        'dcsim sensitivity my.toml --vary "10 %"',
        'dcsim sensitivity my.toml -L hazards.gpu.mtbf="15000 h:50000 h" -L cluster.spares=16:64',
        "dcsim sensitivity unknowns/mtbf-unknown --metric loss",
    ),
)
@options(
    click.argument("file", metavar="FILE"),
    click.option(
        "-L", "--range", "ranges", multiple=True, metavar="KEY=LOW:HIGH",
        help='Move this key from one value to another: hazards.gpu.detect="5 min:1 h" (repeatable).',
    ),
    click.option("--vary", metavar='"X %"', help="Move every number without a range of its own by X % to either side."),
    click.option(
        "--metric", metavar="NAME",
        help="The figure in question: usd_per_useful_gpu_hour (the default; without [tco] it is loss, or finish_h "
        "where all jobs end), goodput, paid_usd, wait_gpu_hours, …",
    ),
    click.option(
        "--share-runs", type=Count(0, 2**20), metavar="N",
        help="Runs of each block that tells the shares of the variance, where inputs are [[uncertain]] (default: "
        "1024; raised to a power of two; 0: tell no shares).",
    ),
    *SIMULATION,
    *kept(monthly=False),
)  # fmt: skip
def sensitivity_command(
    file: str, ranges: tuple[str, ...], vary: str | None, metric: str | None, share_runs: int | None, **given: Any
) -> None:
    """Move each input of a scenario alone to both ends of its range: which one moves the result most?

    Ranges are those of the file, [[uncertain]] tables (P5 and P95) and mtbf_range, and those of -L and --vary. All runs
    have the same random numbers. Where inputs are [[uncertain]], the shares of the variance tell inputs and chance
    apart. -n counts the runs of each end.
    """
    asked = Asked(files=(file,), **given)
    (scenario,) = asked.scenarios
    from dcsim.decide.sensitivity import answer, ask

    question = ask(
        scenario,
        ranges=ranges,
        vary=vary,
        metric_name=metric,
        replications=asked.replications,
        runs=share_runs,
    )
    say(f"{scenario.name}: {question.told}")
    assert asked.output is not None
    with ProgressLine(asked.output / question.folder, None) as progress:
        how = asked.how("sensitivity", progress)
        del how["origins"]  # of the file's values; those of the variants differ
        found = answer(question, **how)
    for notice in found.notices:
        say(f"note: {notice}")

    def page() -> "Page":
        from dcsim.report.sensitivity_page import sensitivity_page

        return sensitivity_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
    from dcsim.cli.report import write_decision
    from dcsim.decide.questions import Question

    if found.folder is not None:
        words = [*how["command"], *(word for text in ranges for word in ("-L", text))]
        words += [word for option, text in (("--vary", vary), ("--metric", metric)) if text for word in (option, text)]
        words += ["-n", str(question.replications)]
        words += [] if share_runs is None else ["--share-runs", str(share_runs)]
        wanted = {"ranges": list(ranges), "vary": vary, "metric": metric, "share_runs": share_runs}
        wanted |= {"replications": question.replications, "engine": asked.engine, "monthly": asked.monthly}
        told = Question("sensitivity", (scenario,), wanted, tuple(how["command"]), tuple(words), tuple(asked.notes))
        write_decision(told, found, asked)
