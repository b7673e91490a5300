"""`dcsim explain`: from the published formula to the simulation, one assumption at a time."""

import shlex
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import SIMULATION, Asked, example, options, print_result
from dcsim.cli.progress import ProgressLine

if TYPE_CHECKING:
    from dcsim.report.document import Page


def _one(context: click.Context, _: click.Parameter, files: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse several files; what is between offers is the question of ``compare``."""
    if len(files) > 1:
        told = f"Found {len(files)} FILEs; must be one. Did you mean dcsim compare {shlex.join(files)}?"
        raise click.UsageError(told, context)
    return files


FILE = click.argument("files", metavar="FILE", nargs=-1, required=True, callback=_one)


@click.command("explain", epilog=example("dcsim explain pretrain-5184/silver"))
@options(FILE, *SIMULATION)
def explain_command(**given: Any) -> None:
    """Print what each assumption of the published formula changes, in percentage points and US dollars.

    The first step is the result of `estimate`, the last that of `run` with as many replications. Every step between
    them is simulated from the same random numbers.
    """
    asked = Asked(**given)
    (scenario,) = asked.scenarios
    from dcsim.decide import explain

    with ProgressLine() as progress:
        how = asked.how("explain", progress)
        found = explain(
            scenario,
            replications=how["replications"],
            workers=how["workers"],
            progress=progress,
            engine=how["engine"],
            executor=how["executor"],
        )

    def page() -> "Page":
        from dcsim.report.simulated import explain_page

        return explain_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
