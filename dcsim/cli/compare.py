"""`dcsim compare`: offers on the same random numbers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import (
    FAIL_IF,
    FILES,
    KEPT,
    PRECISION,
    SIMULATION,
    Asked,
    example,
    options,
    print_result,
    tell_gates,
)
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import say

if TYPE_CHECKING:
    from dcsim.report.document import Page


def _no_shard(context: click.Context, _: click.Parameter, text: str | None) -> None:
    """Say how offers are compared whose replications several machines simulate."""
    if text is not None:
        how = "dcsim run --shard with one --seed for all, dcsim merge, then dcsim compare --resume with that --seed"
        raise click.UsageError(f"compare needs all replications; {how}", context)


BY_OPTION = "--by"
BY = click.option(
    BY_OPTION, type=click.Choice(("mean", "p95")), default="mean", show_default=True,
    help="What offers are ranked by: the mean price of a useful GPU-hour, or that which one run in twenty exceeds.",
)  # fmt: skip


@click.command(
    "compare",
    epilog=example(
        "dcsim compare pretrain-5184/gold pretrain-5184/hyperscaler pretrain-5184/silver",
        "dcsim compare mine.toml theirs.toml -n 32 --json",
        'dcsim compare mine.toml theirs.toml --fail-if "p(cheaper, mine) < 0.9"',
    ),
)
@options(FILES, *SIMULATION, PRECISION, *KEPT, FAIL_IF, BY, click.option("--shard", hidden=True, callback=_no_shard))
def compare_command(by: Any, **given: Any) -> None:
    """Simulate two or more scenarios on the same random numbers: which is cheaper, by how much, how surely, and why.

    Every scenario is simulated with one seed, the first one's unless --seed is given. A difference is the
    second scenario minus the first. The steps from each published formula to its simulation are simulated too, and
    those from the first scenario to each other one.
    """
    asked = Asked(**given)
    if len(asked.files) < 2:
        raise click.UsageError("Name at least two FILEs to compare.", click.get_current_context())
    scenarios = asked.scenarios
    from dcsim.decide import compare
    from dcsim.decide.gates import check_gates, gates_json, judge
    from dcsim.report.limits import gate_sentences

    check_gates(asked.gates, scenarios)
    with ProgressLine(asked.output, len(scenarios)) as progress:
        how = asked.how("compare", progress)
        if by != "mean":
            how["command"] = (*how["command"], BY_OPTION, by)  # a report is about it, too
        found = compare(scenarios, bridges=asked.report or not asked.as_json, **how)
    found = replace(found, by=by)
    for note in (notice for each in found.runs for notice in each.notices):
        say(f"note: {note}")

    judged = judge(asked.gates, found.runs)

    def page() -> "Page":
        from dcsim.report.simulated import comparison_page

        return comparison_page(found, asked.notes).after(gate_sentences(judged))

    print_result(lambda: found.to_json() | gates_json(judged), page, asked.as_json)
    if asked.report:
        from dcsim.cli.report import write_comparison

        write_comparison(found, asked)
    tell_gates(judged)
