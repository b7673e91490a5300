"""`dcsim run`: simulate scenarios, each with its own seed."""

import json
import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli import FAILED, say
from dcsim.cli.options import FILES, KEPT, PRECISION, SIMULATION, Asked, ProgressLine, example, options, print_result

if TYPE_CHECKING:
    from dcsim.decide import RunResult
    from dcsim.montecarlo import Shard
    from dcsim.report.page import Page


def _finite(_: click.Context, __: click.Parameter, bound: float | None) -> float | None:
    """Refuse nan, which no goodput is ever below."""
    if bound is not None and math.isnan(bound):
        raise click.BadParameter("nan is not a percentage.")
    return bound


def _shard(_: click.Context, __: click.Parameter, text: str | None) -> "Shard | None":
    if text is None:
        return None
    from dcsim.montecarlo import Shard

    try:
        return Shard.read(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


@click.command(
    "run",
    epilog=example(
        "dcsim run pretrain-5184/gold",
        "dcsim run my.toml -n 1000 --set cluster.spares=64 --json",
        "dcsim run my.toml --fail-under 93",
        "dcsim run my.toml --events",
        "dcsim run my.toml -n 10000 --shard 1/8",
    ),
)
@options(
    FILES,
    *SIMULATION,
    PRECISION,
    *KEPT,
    click.option(
        "--shard",
        metavar="K/N",
        callback=_shard,
        help="Only every N-th replication, from the K-th on, K = 1 to N: one of N machines; see dcsim merge.",
    ),
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

    if asked.shard is not None:
        _refuse_of_shards(asked, fail_under)
    with ProgressLine(asked.output, len(scenarios)) as progress:
        how = asked.how("run", progress)
        how["events"] = events
        runs, _ = run_many(scenarios, **how)
    for notice in (notice for each in runs for notice in each.notices):
        say(f"note: {notice}")
    if asked.shard is not None:
        _tell_of_shards(asked, runs)
        return

    def page() -> "Page":
        from dcsim.report.simulated import run_page

        return run_page(runs, asked.notes)

    print_result(lambda: runs_json(runs), page, asked.as_json)
    if asked.report:
        from dcsim.cli.report import write_runs

        write_runs(runs, asked)
    goodputs = [(each.scenario.name, 100 * (1 - each.loss.mean)) for each in runs]
    missed = [(name, goodput) for name, goodput in goodputs if fail_under is not None and goodput < fail_under]
    for name, goodput in missed:
        say(f"{name}: goodput {goodput:.3f} % is below --fail-under {fail_under:g} %")
    if missed:
        raise click.exceptions.Exit(FAILED)


# --- shards -------------------------------------------------------------------------------------------------------


def _refuse_of_shards(asked: Asked, fail_under: float | None) -> None:
    """Refuse what no machine can say that sees a part of the replications only."""
    from dcsim.decide import REPLICATIONS

    context, shard = click.get_current_context(), asked.shard
    assert shard is not None
    if asked.precision is not None or fail_under is not None:
        option = "--precision" if fail_under is None else "--fail-under"
        raise click.UsageError(f"{option} needs all replications, --shard has some: merge, then run --resume", context)
    replications = asked.replications or REPLICATIONS
    if not len(shard.numbers(replications)):
        raise click.UsageError(f"--shard {shard}: shard {shard} has none of {replications} replications", context)


def _tell_of_shards(asked: Asked, runs: "Sequence[RunResult]") -> None:
    """Say what is kept of each scenario; figures come from the whole."""
    from dcsim.decide import REPLICATIONS
    from dcsim.decide.estimate import SCHEMA
    from dcsim.report.page import printable

    if asked.as_json:
        kept = [{"name": run.scenario.name, "replications": len(run.sample), "folder": str(run.folder)} for run in runs]
        click.echo(json.dumps({"schema": SCHEMA, "shard": str(asked.shard), "scenarios": kept}, indent=2))
        return
    wanted = asked.replications or REPLICATIONS
    for run in runs:
        name = printable(run.scenario.name)
        click.echo(f"{name}: shard {asked.shard}: {len(run.sample):,} of {wanted:,} replications in {run.folder}/")
    click.echo(f"Next, with all shards: dcsim merge {shlex.quote(str(asked.output))}")
