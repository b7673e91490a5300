"""`dcsim diff`: the inputs in which two scenarios differ, and what each of them does."""

from typing import TYPE_CHECKING

import click

from dcsim.cli.options import JSON, SEED, SET, Count, example, options, print_result, scenarios_of
from dcsim.cli.progress import ProgressLine

if TYPE_CHECKING:
    from dcsim.report.document import Page


@click.command(
    "diff",
    epilog=example(
        "dcsim diff pretrain-5184/gold pretrain-5184/silver",
        "dcsim diff mine.toml theirs.toml -n 100",
    ),
)
@click.argument("files", metavar="FILE FILE", nargs=-1)
@options(
    click.option(
        "-n", "--replications", type=Count(1, 10**7), metavar="N",
        help="Also simulate N runs of each step from the first scenario to the second.",
    ),
    click.option("--workers", type=Count(1, 4096), metavar="N", help="Number of processes (default: one per core)."),
    SEED,
    SET,
    JSON,
)  # fmt: skip
def diff_command(
    files: tuple[str, ...],
    replications: int | None,
    workers: int | None,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the inputs in which two scenarios differ, by key, with both values: what is simulated, and prices.

    With -n also what each group of them does to the loss and to the price of a useful GPU-hour, on the same random
    numbers. The exit code is 0 whether they differ or not.
    """
    if len(files) != 2:
        raise click.UsageError(f"Found {len(files)} FILEs; name two.", click.get_current_context())
    first, second = scenarios_of(files, overrides)
    from dcsim.decide.walk import diff

    with ProgressLine() as progress:
        found = diff(first, second, replications=replications, seed=seed, workers=workers, progress=progress)

    def page() -> "Page":
        from dcsim.report.walks import diff_page

        return diff_page(found)

    print_result(found.to_json, page, as_json)
