"""`dcsim table`: the tables that people ask for by name, of one's own scenario."""

from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import SIMULATION, Asked, Word, example, kept, options, print_result, shard_option
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import say
from dcsim.cli.sweep import AXES, tell_of_shard

if TYPE_CHECKING:
    from dcsim.report.document import Page
    from dcsim.scenario import Scenario

KINDS = ("checkpoint", "spares", "detection", "nines", "tokens", "power", "energisation")

SHARDED = KINDS[:4]
"""Tables of which the replications may be shared among machines."""


@click.command(
    "table",
    epilog=example(
        "dcsim table checkpoint failures/reference",
        "dcsim table spares my.toml -L cluster.spares=0:256:32",
        "dcsim table detection my.toml --json",
        'dcsim table nines my.toml -L availability="99 %,99.9 %"',
        'dcsim table power owner/h200-neocloud -L power="10 MW,50 MW"',
        "dcsim table energisation plant/bridge-none",
        "dcsim table tokens tokens/node-replicas -L batch=1,64,256",
    ),
)
@options(
    click.argument("kind", type=Word(KINDS), metavar="|".join(KINDS)),
    click.argument("file", metavar="FILE"),
    AXES,
    *SIMULATION,
    *kept(monthly=False),
    shard_option("Simulate share K of N of each value's replications only, for N machines; see dcsim merge."),
)
def table_command(kind: Any, file: str, axes: tuple[str, ...], **given: Any) -> None:
    """Print what each value of a key costs: by the published formula, by theory and simulated, side by side.

    checkpoint: interval, loss and price, beside the best interval by theory. spares: stock, P(short), waiting and
    price, and the smallest stock with P(short) below 1 %. detection: time, loss, and what a minute costs. nines: what
    each further nine of having enough GPUs takes in spares. tokens: what each batch costs, and which fits in memory
    ([tokens.model]). power: how many GPUs a power budget carries, what they cost and earn ([owner]), and what power
    the scenario takes. Of these two nothing is simulated. energisation: what each phase of late power costs the owner,
    and what power behind the meter may cost until then. Values follow from the scenario unless -L gives them.
    """
    asked = Asked((file,), **given)
    scenario = asked.scenarios[0]
    if asked.shard is not None and kind not in SHARDED:
        why = f"table {kind} has no replications to share among machines"
        if kind == "energisation":
            why = "table energisation simulates a few phases and keeps nothing, so there is nothing to merge"
        raise click.BadParameter(f"{why}; shards: {', '.join(SHARDED)}.", param_hint="--shard")
    if kind in ("tokens", "power"):
        (_batches if kind == "tokens" else _power)(scenario, axes, asked)
        return
    if kind == "energisation":
        _energisation(scenario, axes, asked)
        return
    from dcsim.decide.tables import table

    words = [word for text in axes for word in ("-L", text)]
    with ProgressLine(asked.output, None) as progress:
        how: dict[str, Any] = {**asked.how("table", progress)}
        verb, *rest = how["command"][1:]
        how["command"] = ("dcsim", verb, kind, *rest, *words)
        found = table(kind, scenario, axes, **how)
    if asked.shard is not None:
        tell_of_shard(asked, found.sweep)
        return

    def page() -> "Page":
        from dcsim.report.tables_page import table_page

        return table_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
    from dcsim.cli.report import write_decision
    from dcsim.decide.questions import Question

    wanted = {name: how[name] for name in ("origins", "engine", "monthly")}
    wanted |= {"values": list(axes), "replications": found.sweep.runs}
    again = (*how["command"], "-n", str(found.sweep.runs))
    question = Question("table", (scenario,), wanted, how["command"], again, tuple(asked.notes), (kind,))
    write_decision(question, found, asked)


def _batches(scenario: "Scenario", axes: tuple[str, ...], asked: Asked) -> None:
    """Print what each batch of a token seller costs."""
    from dcsim.decide.tables_tokens import token_table

    found = token_table(scenario, axes)

    def page() -> "Page":
        from dcsim.report.tokens_page import batch_page

        return batch_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)


def _power(scenario: "Scenario", axes: tuple[str, ...], asked: Asked) -> None:
    """Print what power budgets carry."""
    from dcsim.decide.owner_by_formula import power_table

    found = power_table(scenario, axes)

    def page() -> "Page":
        from dcsim.report.owner_page import power_page

        return power_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)


def _energisation(scenario: "Scenario", axes: tuple[str, ...], asked: Asked) -> None:
    """Print what each phase of late power costs."""
    if axes:
        raise click.BadParameter("table energisation takes no values; change dates with --set.", param_hint="-L")
    from dcsim.decide.energisation import energisation_table

    with ProgressLine(asked.output, None) as progress:
        how: dict[str, Any] = {**asked.how("table", progress)}
        del how["monthly"]  # an owner's cash is by month
        verb, *rest = how["command"][1:]
        how["command"] = ("dcsim", verb, "energisation", *rest)
        found = energisation_table(scenario, **how)
    for notice in found.notices:
        say(f"note: {notice}")

    def page() -> "Page":
        from dcsim.report.tables_page import energisation_page

        return energisation_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
    from dcsim.cli.report import write_decision
    from dcsim.decide.questions import Question

    wanted = {"origins": how["origins"], "engine": how["engine"], "replications": found.runs}
    again = (*how["command"], "-n", str(found.runs))
    write_decision(
        Question("energisation", (scenario,), wanted, how["command"], again, tuple(asked.notes)), found, asked
    )
