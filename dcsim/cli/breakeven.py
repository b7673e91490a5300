"""`dcsim breakeven`: what something may cost, or from where on an offer pays."""

import shlex
from typing import TYPE_CHECKING, Any

import click

from dcsim.cli.options import SIMULATION, Asked, example, kept, options, print_result
from dcsim.cli.progress import ProgressLine
from dcsim.cli.screen import say

if TYPE_CHECKING:
    from dcsim.report.document import Page


@click.command(
    "breakeven",
    short_help="Find what a product, a spare or a minute is worth.",
    epilog=f"""\b
WHAT is one of
  licence    software that FILE has and FILE2 has not, per GPU-hour
  tor        a second ToR (leaf switch) that FILE has, FILE2 not, a month
  spare      one more spare GPU, a month
  detection  a minute less until failures are noticed, a month
  failover   a minute less of failover, a month
  restore    a minute less of restore, a month
  mtbf       1,000 h more of the MTBF, a month (mtbf:gpu of several)
  bridge-power
             a kWh behind the meter until the grid comes, beyond the grid's
             price; FILE waits, or FILE is bridged and FILE2 waits
or a key with a range, KEY=LOWEST:HIGHEST: where both are equally good.

{
        example(
            "dcsim breakeven pretrain-5184/gold detection",
            "dcsim breakeven migration.toml licence --against checkpoints.toml",
            "dcsim breakeven plant/bridge-engines bridge-power --against plant/bridge-none",
            'dcsim breakeven new.toml "hazards.leaf.mtbf=20000 h:1000000 h" --against old.toml',
        )
    }""",
    context_settings={"allow_extra_args": True},
)
@click.argument("file", metavar="FILE")
@click.argument("what", metavar="WHAT")
@options(
    click.option("--against", metavar="FILE2", help="The offer that FILE is compared with."),
    *SIMULATION,
    *kept(monthly=False),
)
def breakeven_command(file: str, what: str, against: str | None, **given: Any) -> None:
    """Say what something is worth, or at which value of a key two offers are equally good, with its interval.

    Equally good is where a useful GPU-hour costs the same. The answer is by simulation on common random numbers, beside
    the published formula and, where there is one, exact theory. Of bridge-power an owner's discounted cash is the same.
    --set changes both files.
    """
    context = click.get_current_context()
    if context.args:
        words = [file, what, *context.args]
        files, last = words[:2], words[-1] if len(words) == 3 and not against else "WHAT"
        told = f"dcsim breakeven {shlex.join([files[0], last])} --against {shlex.quote(against or files[1])}"
        raise click.UsageError(f"Found {len(words)} arguments; must be FILE and WHAT. Did you mean {told}?", context)
    asked = Asked(files=(file, *([against] if against else [])), **given)
    scenarios = asked.scenarios
    from dcsim.decide.breakeven import breakeven

    with ProgressLine(asked.output, None) as progress:
        how: dict[str, Any] = {**asked.how("breakeven", progress)}
        del how["origins"]
        command = ["dcsim", "breakeven", file, what, *(("--against", against) if against else ())]
        command += [part for override in asked.overrides for part in ("--set", override)]
        how["command"] = command
        found = breakeven(scenarios[0], what, against=scenarios[1] if against else None, **how)
    for notice in (notice for each in (found.against, found.offer) for notice in each.notices):
        say(f"note: {notice}")

    def page() -> "Page":
        from dcsim.report.breakeven_page import breakeven_page

        return breakeven_page(found, asked.notes)

    print_result(found.to_json, page, asked.as_json)
    if asked.report and found.folder is not None:
        from dcsim.cli.report import write_page
        from dcsim.report.breakeven_page import breakeven_document

        again = (*command, "--seed", str(found.offer.scenario.seed), "-n", str(len(found.offer.sample)))
        write_page(found.folder, lambda: breakeven_document(found, again, asked.notes), asked)
