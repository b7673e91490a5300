"""`dcsim estimate`: what the web calculators do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dcsim.cli.options import FILES, JSON, SET, example, options, print_result, scenarios_of, unused_notes

if TYPE_CHECKING:
    from dcsim.report.document import Page


@click.command(
    "estimate",
    epilog=example(
        "dcsim estimate pretrain-5184/gold pretrain-5184/silver",
        "dcsim estimate my.toml --set hazards.gpu.mtbf='50677 h' --json",
    ),
)
@options(FILES, SET, JSON)
def estimate_command(files: Sequence[str], overrides: Sequence[str], as_json: bool) -> None:
    """Print the losses and costs of scenarios side by side, by the published formulas. Nothing is simulated."""
    from dcsim.decide.estimate import estimate, estimates_json

    scenarios = scenarios_of(files, overrides)
    found = [estimate(scenario) for scenario in scenarios]

    def page() -> "Page":
        from dcsim.report.published_tables import estimate_page

        return estimate_page(found, unused_notes(scenarios))

    print_result(lambda: estimates_json(found), page, as_json)
