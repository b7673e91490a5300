"""`dcsim run`: simulate scenarios, each with its own seed."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import (
    FAIL_IF,
    FILES,
    KEPT,
    PRECISION,
    SIMULATION,
    Asked,
    Count,
    example,
    options,
    print_result,
    shard_option,
    tell_gates,
)
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import out, out_json, say

if TYPE_CHECKING:
    from dcsim.decide import RunResult
    from dcsim.report.document import Page


def _bound(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Read a share with its unit: of a number alone nobody can say whether 0.93 or 93 is meant."""
    if text is None:
        return None
    from pydantic_core import PydanticCustomError

    from dcsim.units import SHARE, parse

    try:
        return parse(text, SHARE)
    except PydanticCustomError as error:
        missing = error.message().endswith("the unit is missing")
        how = ': for 93 percent, write --fail-under "93 %"' if missing else ""
        raise click.BadParameter(f"{error.message()}{how}") from None


@click.command(
    "run",
    epilog=example(
        "dcsim run pretrain-5184/gold",
        "dcsim run my.toml -n 1000 --set cluster.spares=64 --json",
        'dcsim run my.toml --fail-under "93 %"',
        'dcsim run my.toml --fail-if "loss > 6 %" --fail-if "p95(paid_usd) > 6e8"',
        "dcsim run my.toml --events",
        "dcsim run my.toml -n 10000 --shard 1/8",
    ),
)
@options(
    FILES,
    *SIMULATION,
    PRECISION,
    *KEPT,
    shard_option(
        "Simulate share K of N only: every N-th replication from the K-th on. For N machines; see dcsim merge."
    ),
    click.option(
        "--fail-under",
        metavar='"X %"',
        callback=_bound,
        help="Exit with 1 if the goodput of a scenario is below this share; with its unit, such as '93 %'. "
        "The same as --fail-if 'goodput < 93 %'.",
    ),
    FAIL_IF,
    click.option(
        "--events",
        is_flag=False,
        flag_value=1,
        default=0,
        type=Count(0, 10**7),
        metavar="[N]",
        help="Also keep the event log of the first N replications (--events alone: of the first).",
    ),
)
def run_command(fail_under: float | None, events: int, **given: Any) -> None:
    """Simulate scenarios and print goodput, where the GPU-hours went and what it costs, with 95 % intervals.

    Finished replications are kept as parquet files; a run that is there already is replaced unless --resume is given.
    """
    asked = Asked(**given)
    scenarios = asked.scenarios
    from dcsim.decide import run_many, runs_json
    from dcsim.decide.gates import UNDER, Gate, check_gates, gates_json, judge
    from dcsim.report.limits import gate_sentences
    from dcsim.units import SHARE, write

    gates = (*(() if fail_under is None else (Gate.under(fail_under),)), *asked.gates)
    check_gates(gates, scenarios, common=False)
    if asked.shard is not None:
        _refuse_of_shards(asked, fail_under)
    with ProgressLine(asked.output, len(scenarios)) as progress:
        how = asked.how("run", progress)
        how["events"] = events
        if fail_under is not None:
            how["command"] = (*how["command"], UNDER, write(fail_under, SHARE))
        runs, _ = run_many(scenarios, **how)
    for notice in (notice for each in runs for notice in each.notices):
        say(f"note: {notice}")
    if asked.shard is not None:
        _tell_of_shards(asked, runs)
        return
    judged = judge(gates, runs)

    def page() -> "Page":
        from dcsim.report.simulated import run_page

        return run_page(runs, asked.notes).after(gate_sentences(judged))

    print_result(lambda: runs_json(runs) | gates_json(judged), page, asked.as_json)
    if asked.report:
        from dcsim.cli.report import write_runs

        write_runs(runs, asked)
    tell_gates(judged)


# --- shards -------------------------------------------------------------------------------------------------------


def _refuse_of_shards(asked: Asked, fail_under: float | None) -> None:
    """Refuse what no machine can say that sees a part of the replications only."""
    from dcsim.decide import REPLICATIONS

    context, shard = click.get_current_context(), asked.shard
    assert shard is not None
    if asked.precision is not None or fail_under is not None or asked.fail_if:
        option = "--fail-under" if fail_under is not None else "--fail-if" if asked.fail_if else "--precision"
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
        out_json({"schema": SCHEMA, "shard": str(asked.shard), "scenarios": kept})
        return
    wanted = asked.replications or REPLICATIONS
    for run in runs:
        name = printable(run.scenario.name)
        out(f"{name}: shard {asked.shard}: {len(run.sample):,} of {wanted:,} replications in {run.folder}/")
    out(f"Next, with all shards: dcsim merge {shlex.quote(str(asked.output))}")
