"""The command line: a verb's file is imported when the verb is called.

The only room that prints or exits. Results go to stdout; errors, one line each, and progress to stderr. Exit codes:
0 ok, 1 a run failed, broke a gate (``--fail-if``, ``--fail-under``) or could not be printed, 2 usage or scenario error,
130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
"""

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

import dcsim
from dcsim.cli.screen import out_page, say, screens

VERBS = {
    "compare": ("compare", "Simulate offers on the same random numbers: which is cheaper, and why."),
    "diff": ("diff", "Print the inputs in which two scenarios differ, and what each does."),
    "run": ("run", "Simulate scenarios: goodput, ledger and cost, with intervals."),
    "sweep": ("sweep", "Simulate scenarios at many settings: which is best, and what is as good."),
    "table": ("table", "Print what checkpoints, spares, detection or nines cost, by formula, theory and simulation."),
    "optimize": ("optimize", "Find the best of many settings: spares, checkpoint interval, strategy, crews."),
    "breakeven": ("breakeven", "Find what a product, a spare or a minute is worth."),
    "sensitivity": ("sensitivity", "Move each input over its range: which one to measure first."),
    "report": ("report", "Write the report of a run: HTML, Markdown, CSV, or a trace."),
    "merge": ("merge", "Join the shards of a run that several machines simulated."),
    "calibrate": ("calibrate", "Estimate failure rates and repair times from a site's records, for a scenario."),
    "estimate": ("estimate", "Compute the published formulas and the cost (TCO); nothing is simulated."),
    "explain": ("explain", "Show the steps from the published formula to the simulation."),
    "list": ("files", "List what comes with dcsim: scenarios, topologies, every kind and key."),
    "new": ("files", "Start a scenario file from one that comes with dcsim."),
    "check": ("files", "Check scenario files and name every problem."),
    "topology": ("topology", "Show, build and import topologies: what fails together."),
    "schema": ("files", "Print the JSON Schema of a scenario file, for editors."),
}
"""Verb -> the module that holds it, and what it does."""
OTHER_WORDS = {
    **dict.fromkeys(("simulate", "sim", "start"), "run"),
    **dict.fromkeys(("validate", "verify", "lint"), "check"),
    **dict.fromkeys(("init", "create", "copy"), "new"),
    **dict.fromkeys(("calc", "calculate", "formula", "cost", "tco"), "estimate"),
    **dict.fromkeys(("versus", "vs"), "compare"),
    **dict.fromkeys(("scenarios", "show", "ls"), "list"),
    **dict.fromkeys(("html", "markdown", "export"), "report"),
    **dict.fromkeys(("tornado", "sobol", "vary"), "sensitivity"),
    "help": "--help",
}
"""What other programs call a verb -> its name here."""
OK, FAILED, USAGE = 0, 1, 2


class Verbs(click.Group):
    """The verbs; listing them imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order a new user meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"dcsim.cli.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is called, or name the nearest one."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(_no_verb(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Call a verb; click would answer an interrupt with an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from dcsim.cli.signals import exit_code

            say("interrupted")
            raise click.exceptions.Exit(exit_code()) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table, without their modules."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def main(  # type: ignore[override]  # standalone or not, this exits
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one command line and exit; every failure is one line per problem on stderr, never a traceback."""
        from dcsim.cli.signals import exit_code, interruptions

        with interruptions(), screens() as (shown, _):
            try:
                code = super().main(args, prog_name or "dcsim", **(extra | {"standalone_mode": False})) or OK
            except (click.Abort, KeyboardInterrupt):
                say("interrupted")
                code = exit_code()
            except Exception as error:
                if "DCSIM_TRACEBACK" in os.environ:
                    raise
                code = OK if error is shown.lost else _told(error)  # told below
            shown.flush()
            if shown.lost is not None:
                code = code or FAILED
                if shown.lost.errno != errno.EPIPE:  # else the reader (`| head`) has what it wanted
                    say(f"dcsim: stdout cannot be written to: {shown.lost.strerror}; what was printed is lost")
        sys.exit(code)


def _no_verb(name: str) -> str:
    """Say what may be called instead: a verb, or one before a scenario that was named alone."""
    from dcsim.shipped import shipped_files
    from dcsim.wording import did_you_mean

    if name.endswith(".toml") or name in shipped_files("scenarios"):
        return f'found "{name}" where a verb should stand; did you mean "dcsim run {name}"?'
    other = OTHER_WORDS.get(name.lower())
    hint = f'; did you mean "{other}"?' if other else did_you_mean(name, VERBS)
    return f'no such verb "{name}"{hint or "; allowed: " + ", ".join(VERBS)}'


def _no_option(error: click.NoSuchOption) -> str:
    """Name the nearest option of the verb."""
    from dcsim.wording import did_you_mean

    given = error.ctx.command.get_params(error.ctx) if error.ctx else ()
    shown = (option for option in given if isinstance(option, click.Option) and not option.hidden)
    known = [name for option in shown for name in option.opts]
    return f"no such option {error.option_name}{did_you_mean(error.option_name, known)}"


def _told(error: Exception) -> int:
    """Say on stderr what went wrong and return the exit code."""
    problems: Iterable[object] | None = getattr(error, "problems", None)  # of scenarios and topologies
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "dcsim"
        told = _no_option(error) if isinstance(error, click.NoSuchOption) else error.format_message().rstrip(".")
        end = "" if told.endswith("?") else "."
        problems = [f"{where}: {told}{end} Help: {where} --help", *getattr(error, "further", ())]
    if problems is not None:
        for problem in problems:
            say(str(problem))
        return USAGE
    say(f"dcsim: {_one_line(error)}")
    return FAILED


def _one_line(error: Exception) -> str:
    text = " ".join(" ".join([str(error), *getattr(error, "__notes__", [])]).split())
    if type(error).__module__.startswith("dcsim."):
        return text
    return f"{type(error).__name__}: {text} (DCSIM_TRACEBACK=1 shows where)"


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="VERB …",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Example:
  dcsim compare pretrain-5184/gold pretrain-5184/hyperscaler pretrain-5184/silver

FILE is a path or the name of a shipped scenario (dcsim list).""",
)
@click.version_option(dcsim.__version__, prog_name="dcsim", message="%(prog)s %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Goodput and cost of GPU clusters that fail: published formulas and simulation, side by side."""
    if ctx.invoked_subcommand is None:
        out_page(ctx.get_help())


def main() -> None:
    """Run the command line of this process."""
    from dcsim.cli.signals import finish

    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # threads for two numbers each take more than they give
        os.environ.setdefault(name, "1")
    try:
        app.main()
    finally:
        finish()
