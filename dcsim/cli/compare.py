"""`dcsim compare`: offers on the same random numbers."""

from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import FILES, KEPT, PRECISION, SIMULATION, Asked, ProgressLine, example, options, print_result
from dcsim.cli.screen import say

if TYPE_CHECKING:
    from dcsim.report.document import Page


def _no_shard(context: click.Context, _: click.Parameter, text: str | None) -> None:
    """Say how offers are compared whose replications several machines simulate."""
    if text is not None:
        how = "dcsim run --shard with one --seed for all, dcsim merge, then dcsim compare --resume with that --seed"
        raise click.UsageError(f"compare needs all replications; {how}", context)


@click.command(
    "compare",
    epilog=example(
        "dcsim compare pretrain-5184/gold pretrain-5184/hyperscaler pretrain-5184/silver",
        "dcsim compare mine.toml theirs.toml -n 32 --json",
    ),
)
@options(FILES, *SIMULATION, PRECISION, *KEPT, click.option("--shard", hidden=True, callback=_no_shard))
def compare_command(**given: Any) -> None:
    """Simulate two or more scenarios on the same random numbers: which is cheaper, by how much, how surely, and why.

    Every scenario is simulated with one seed, the first one's unless --seed is given. A difference is the
    second scenario minus the first. The steps from each published formula to its simulation are simulated too.
    """
    asked = Asked(**given)
    if len(asked.files) < 2:
        raise click.UsageError("Name at least two FILEs to compare.", click.get_current_context())
    scenarios = asked.scenarios
    from dcsim.decide import compare

    with ProgressLine(asked.output, len(scenarios)) as progress:
        found = compare(scenarios, bridges=asked.report or not asked.as_json, **asked.how("compare", progress))
    for note in (notice for each in found.runs for notice in each.notices):
        say(f"note: {note}")

    def page() -> "Page":
        from dcsim.report.simulated import comparison_page

        return comparison_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
    if asked.report:
        from dcsim.cli.report import write_comparison

        write_comparison(found, asked)
