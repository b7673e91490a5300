"""`dcsim optimize`: the best of many settings, from as few runs as it takes."""

from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import FILES, SIMULATION, Asked, Count, example, kept, options, print_result
from dcsim.cli.progress import ProgressLine

if TYPE_CHECKING:
    from dcsim.report.document import Page


def _no_replications(context: click.Context, _: click.Parameter, number: int | None) -> None:
    if number is not None:
        raise click.UsageError("optimize decides itself how many replications a setting needs: give --runs", context)


@click.command(
    "optimize",
    epilog=example(
        "dcsim optimize my.toml -L cluster.spares=0:128:16",
        'dcsim optimize my.toml -L jobs.train.recovery.checkpoint_every="5 min:60 min:5 min" --runs 20000',
        'dcsim optimize a.toml b.toml -L cluster.spares=0:64:8 --goal "goodput >= 95 % at 90 %"',
        'dcsim optimize my.toml -L cluster.spares=0:128:16 --budget "p95(paid_usd) <= 5.5e8"',
        'dcsim optimize my.toml -L "cluster.spares=0,4,8; jobs.train.gpus=64,60,56"',
    ),
)
@options(
    FILES,
    click.option(
        "-L", "--over", "axes", multiple=True, metavar="KEY=VALUES",
        help='Values of a key: cluster.spares=0,8,16 or checkpoint_every="5 min:60 min:5 min", which is lowest:highest:'
        "step (repeatable). Keys in one -L, with ; between them, change together.",
    ),
    click.option(
        "--goal", metavar="GOAL",
        help="What is best: a figure, such as finish_h; or what a share of the runs must reach for the least price, "
        "such as 'goodput >= 95 % at 90 %' (default: the least price of a useful GPU-hour; without [tco] the loss, or "
        "finish_h where all jobs end).",
    ),
    click.option(
        "--budget", metavar="LIMIT",
        help="Most useful GPU-hours within it, such as 'p95(paid_usd) <= 5.5e8'.",
    ),
    click.option(
        "--runs", type=Count(2, 10**8), metavar="N",
        help="Simulated runs at most, over all settings (default: 200 for each).",
    ),
    click.option("-n", "--replications", hidden=True, type=int, expose_value=False, callback=_no_replications),
    *SIMULATION[1:],
    *kept(monthly=False),
)  # fmt: skip
def optimize_command(
    axes: tuple[str, ...], goal: str | None, budget: str | None, runs: int | None, **given: Any
) -> None:
    """Find the best of many settings, and all that cannot be told apart from it; of these the simplest is named.

    Every offer with every combination of values is simulated on the same random numbers. Settings that are worse for
    sure drop out early; the others get more runs. A stock of spares is bought: jobs keep their GPUs. Several FILEs are
    one more axis, for instance one for each recovery strategy.
    """
    asked = Asked(replications=None, **given)
    scenarios = asked.scenarios
    from dcsim.decide.optimize import optimize
    from dcsim.decide.questions import Question

    words = [word for text in axes for word in ("-L", text)]
    for option, text in (("--goal", goal), ("--budget", budget)):
        words += [] if text is None else [option, text]
    with ProgressLine(asked.output, None) as progress:
        how: dict[str, Any] = {**asked.how("optimize", progress)}
        for name in ("origins", "replications"):
            how.pop(name, None)
        how["command"] = (*how["command"], *words)
        wanted: dict[str, Any] = {"axes": list(axes), "goal": goal, "budget": budget, "runs": runs}
        found = optimize(scenarios, **wanted, **how)

    def page() -> "Page":
        from dcsim.report.optimize_page import optimum_page

        return optimum_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
    from dcsim.cli.report import write_decision

    wanted |= {name: how[name] for name in ("engine", "monthly")}
    again = (*how["command"], "--seed", str(found.offers[0].seed), "--runs", str(found.most))
    question = Question("optimize", tuple(scenarios), wanted, how["command"], again, tuple(asked.notes))
    write_decision(question, found, asked)
