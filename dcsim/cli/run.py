"""`dcsim run`: simulate scenarios, each with its own seed."""

import math
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli import FAILED, say
from dcsim.cli.options import FILES, KEPT, PRECISION, SIMULATION, Asked, ProgressLine, example, options, print_result

if TYPE_CHECKING:
    from dcsim.report.page import Page


def _finite(_: click.Context, __: click.Parameter, bound: float | None) -> float | None:
    """Refuse nan, which no goodput is ever below."""
    if bound is not None and math.isnan(bound):
        raise click.BadParameter("nan is not a percentage.")
    return bound


@click.command(
    "run",
    epilog=example(
        "dcsim run pretrain-5184/gold",
        "dcsim run my.toml -n 1000 --set cluster.spares=64 --json",
        "dcsim run my.toml --fail-under 93",
        "dcsim run my.toml --events",
    ),
)
@options(
    FILES,
    *SIMULATION,
    PRECISION,
    *KEPT,
    click.option(
        "--fail-under",
        type=click.FloatRange(0, 100),
        metavar="PERCENT",
        callback=_finite,
        help="Exit with 1 if a goodput is below.",
    ),
    click.option(
        "--events",
        is_flag=False,
        flag_value=1,
        default=0,
        type=click.IntRange(0, 10**7),
        metavar="[N]",
        help="Also keep the event log of the first N replications (--events alone: of one).",
    ),
)
def run_command(fail_under: float | None, events: int, **given: Any) -> None:
    """Simulate scenarios and print goodput, where the GPU-hours went and what it costs, with 95 % intervals.

    Finished replications are kept as parquet files; a run that is there already is replaced unless --resume is given.
    """
    asked = Asked(**given)
    scenarios = asked.scenarios
    from dcsim.decide import run_many, runs_json

    with ProgressLine(asked.output, len(scenarios)) as progress:
        how = asked.how("run", progress)
        how["events"] = events
        runs, _ = run_many(scenarios, **how)
    for notice in (notice for each in runs for notice in each.notices):
        say(f"note: {notice}")

    def page() -> "Page":
        from dcsim.report.simulated import run_page

        return run_page(runs, asked.notes)

    print_result(lambda: runs_json(runs), page, asked.as_json)
    goodputs = [(each.scenario.name, 100 * (1 - each.loss.mean)) for each in runs]
    missed = [(name, goodput) for name, goodput in goodputs if fail_under is not None and goodput < fail_under]
    for name, goodput in missed:
        say(f"{name}: goodput {goodput:.3f} % is below --fail-under {fail_under:g} %")
    if missed:
        raise click.exceptions.Exit(FAILED)
