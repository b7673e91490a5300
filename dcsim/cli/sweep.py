"""`dcsim sweep`: scenarios at many settings, and which of them are best."""

import shlex
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import (
    FAIL_IF,
    FILES,
    SIMULATION,
    Asked,
    Count,
    example,
    kept,
    options,
    print_result,
    shard_option,
    tell_gates,
)
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import out, out_json, say

if TYPE_CHECKING:
    from dcsim.decide.sweep import Sweep
    from dcsim.report.document import Page

AXES = click.option(
    "-L", "--over", "axes", multiple=True, metavar="KEY=VALUES",
    help='Values of a key: cluster.spares=0,8,16 or hazards.gpu.detect="5 min:60 min:5 min", which is lowest:highest:'
    "step (repeatable).",
)  # fmt: skip


@click.command(
    "sweep",
    epilog=example(
        "dcsim sweep my.toml -L cluster.spares=0,32,64,128",
        'dcsim sweep my.toml -L cluster.spares=0:128:32 -L hazards.gpu.detect="5 min:60 min:5 min"',
        'dcsim sweep gold.toml silver.toml -L hazards.gpu.mtbf="10000 h:50000 h:10000 h"',
        'dcsim sweep my.toml -L cluster.spares=0:512:32 -L hazards.gpu.repair="1 h:48 h:1 h" --lhs 50',
    ),
)
@options(
    FILES,
    AXES,
    click.option(
        "--lhs", type=Count(1, 100_000), metavar="N",
        help="Draw N points of a Latin hypercube: of each key every part of its values is tried as often.",
    ),
    click.option(
        "--metric", metavar="NAME",
        help="Figure that decides: loss, goodput, paid_usd, usd_per_useful_gpu_hour, ettr, finish_h, … "
        "(default: the price of a useful GPU-hour; without [tco] the loss, or finish_h where all jobs end).",
    ),
    *SIMULATION,
    *kept(monthly=False),
    shard_option("Simulate share K of N of each point's replications only, for N machines; see dcsim merge."),
    FAIL_IF,
    click.option("--every-run", is_flag=True, help="Also write a table with one row for each run of each point."),
)  # fmt: skip
def sweep_command(axes: tuple[str, ...], lhs: int | None, metric: str | None, every_run: bool, **given: Any) -> None:
    """Simulate scenarios with every combination of values and say which is best, and what is as good.

    All points have the same random numbers. What the runs cannot tell apart from the best point is marked. Several
    FILEs are one more axis: which of them is best where. A stock of spares is bought: jobs keep their GPUs, and
    cluster.gpus follows cluster.spares unless it is given too. Runs and tables are kept in a folder of the sweep.
    """
    asked = Asked(**given)
    from dcsim.decide.gates import Judged, check_gates, gates_json, in_order
    from dcsim.decide.questions import Question
    from dcsim.decide.sweep import sweep
    from dcsim.report.limits import gate_sentences, judging_points

    scenarios = asked.scenarios
    check_gates(asked.gates, scenarios, common=False)
    if asked.shard is not None and asked.gates:
        raise click.UsageError("--fail-if needs all replications, --shard has some.", click.get_current_context())
    judged: list[Judged] = []
    words = [word for text in axes for word in ("-L", text)]
    words += [] if lhs is None else ["--lhs", str(lhs)]
    words += [] if metric is None else ["--metric", metric]
    with ProgressLine(asked.output, None) as progress:
        how: dict[str, Any] = {**asked.how("sweep", progress)}
        how["command"] = (*how["command"], *words)
        wanted: dict[str, Any] = {"axes": list(axes), "lhs": lhs, "metric": metric, "every_run": every_run}
        found = sweep(scenarios, **wanted, seed=asked.seed, each=judging_points(asked.gates, judged), **how)
    if asked.shard is not None:
        tell_of_shard(asked, found)
        return

    def page() -> "Page":
        from dcsim.report.sweep_page import sweep_page

        return sweep_page(found, asked.notes).after(gate_sentences(told))

    told = in_order(judged)
    print_result(lambda: found.to_json() | gates_json(told), page, asked.as_json)
    from dcsim.cli.report import write_decision

    wanted |= {name: how[name] for name in ("origins", "engine", "monthly")} | {"replications": found.runs}
    again = (*how["command"], "-n", str(found.runs))
    write_decision(
        Question("sweep", tuple(scenarios), wanted, how["command"], again, tuple(asked.notes)), found, asked, told
    )
    tell_gates(told)


def tell_of_shard(asked: Asked, found: "Sweep") -> None:
    """Say what is kept; figures come from the whole."""
    runs = f"{found.folder}/runs"
    if asked.as_json:
        out_json({"schema": 1, "shard": str(asked.shard), "points": len(found.points), "folder": str(found.folder)})
        return
    out(f"shard {asked.shard} of {found.runs:,} replications of {len(found.points):,} points in {runs}/")
    out(f"Next, with all shards: dcsim merge {shlex.quote(runs)}, then this command with --resume for --shard")
    for note in found.notes:
        say(f"note: {note}")
