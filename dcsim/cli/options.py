"""What the verbs share: options, files that become scenarios, progress, and how a result is printed."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dcsim.cli.screen import out_json, say, styled
from dcsim.cli.signals import exit_code

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from dcsim.decide.outcome import Executor, How
    from dcsim.montecarlo import Running, Shard, WantedEngine
    from dcsim.report.document import Page
    from dcsim.scenario import Problem, Scenario

Function = TypeVar("Function", bound=Callable[..., Any])
BAR_AFTER_S = 2.0
"""A progress bar is shown from here on [s]; source: assumed."""
LINE_AFTER_S = 10.0
"""Without a terminal, a second line comes no sooner [s]; source: assumed."""
ERROR_EVERY_S = 0.5
"""The interval in the progress bar changes no more often [s]; source: assumed."""


class Count(click.IntRange):
    """A whole number between two bounds, both included."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or say what was found and what is allowed."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f'found "{value}"; must be a whole number from {self.min} to {self.max}', param, ctx)

    def _describe_range(self) -> str:
        """Return the bounds as the help shows them."""
        return f"{self.min} to {self.max}"


class Word(click.Choice):  # type: ignore[type-arg]  # generic since click 8.2 only
    """One of a few words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word, or say what was found, what is allowed and which word is nearest."""
        from dcsim.problems import not_one_of

        if value not in self.choices:
            self.fail(not_one_of(self.choices, str(value), f'found "{value}"'), param, ctx)
        return super().convert(value, param, ctx)


class UnknownName(click.BadParameter):
    """A name of something that comes with dcsim, but does not; without a near one, ``further`` lines list them all."""

    def __init__(self, what: str, name: str, known: Iterable[str], option: str) -> None:
        from dcsim.wording import columns, did_you_mean

        names = list(known)
        hint = did_you_mean(name, names)
        self.further = [] if hint else columns(names)
        super().__init__(f'no {what} "{name}" comes with dcsim{hint or "; those that do follow"}', param_hint=option)


FILES = click.argument("files", metavar="FILE…", nargs=-1, required=True)
SET = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key: jobs.pretrain.gpus=2048 (repeatable)."
)
SEED = click.option(
    "--seed", type=Count(0, 2**63 - 1), metavar="N", help="Use this seed instead of the scenario's own."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def writable(_: click.Context, __: click.Parameter, folder: Path | None) -> Path | None:
    """Refuse a folder that nothing could be written to, before any work is done; leave nothing behind."""
    from tempfile import TemporaryFile

    if folder is None:
        return None
    nearest = folder
    try:
        while not os.path.lexists(nearest) and nearest != nearest.parent:
            nearest = nearest.parent
        if max(map(len, map(os.fsencode, folder.parts)), default=0) > os.pathconf(nearest, "PC_NAME_MAX"):
            raise click.BadParameter("a name in it is too long.")
        if not nearest.is_dir():
            raise click.BadParameter(f"{nearest} is not a folder.")
        TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise click.BadParameter(f"{nearest} cannot be written to: {error.strerror}.") from None
    return folder


class EngineWord(Word):
    """Takes the name of an engine that is no more for what has taken its place."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word."""
        if value == "batch":
            from dcsim.cli.screen import say

            say("note: --engine batch is now what auto does; leave it out")
            return "auto"
        return super().convert(value, param, ctx)


SIMULATION = (
    click.option(
        "-n", "--replications", type=Count(1, 10**7), metavar="N",
        help="Replications (default: 100); each is one simulated run, and a single one gives no interval.",
    ),
    click.option("--workers", type=Count(1, 4096), metavar="N", help="Number of processes (default: one per core)."),
    click.option(
        "--executor", type=Word(["local", "ray"]), default="local",
        help="Where replications run: on this machine, or as tasks of the Ray cluster at RAY_ADDRESS.",
    ),
    SEED,
    SET,
    click.option(
        "--engine", type=EngineWord(["auto", "simpy"]), default="auto",
        help="What plays the rules of the model: compiled code (auto, the default), or the processes of SimPy, which "
        "take 100 to 300 times as long. Both give the same numbers.",
    ),
    JSON,
)  # fmt: skip
PRECISION = click.option(
    "--precision", metavar='"X pp"',
    help="Simulate until the 95 % interval of every loss is at most ± X percentage points (pp); checked after 64, 128, "
    "256, … replications, -n of them at most.",
)  # fmt: skip
KEPT = (
    click.option(
        "--monthly/--no-monthly", default=True,
        help="Keep the GPU-time of each run by month and by cause too, a few kB a run (default: yes).",
    ),
    click.option("--resume", is_flag=True, help="Continue with the replications that the output folder already holds."),
    click.option(
        "-o", "--output", type=click.Path(path_type=Path), default=Path("outputs"), callback=writable,
        metavar="DIR", help="Folder that keeps the replications (default: outputs).",
    ),
    click.option(
        "--no-report", "report", is_flag=True, flag_value=False, default=True,
        help="Write no report.html into the folder of the run.",
    ),
)  # fmt: skip


def options(*given: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Put several options on a verb, shown in the order given."""

    def put(function: Function) -> Function:
        for option in reversed(given):
            function = option(function)
        return function

    return put


def example(*lines: str) -> str:
    """Return the end of a verb's help."""
    return "\n".join(("\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)))


# --- files --------------------------------------------------------------------------------------------------------


def scenarios_of(files: Sequence[str], overrides: Sequence[str] = (), seed: int | None = None) -> "list[Scenario]":
    """Read every file; raise ScenarioError with the problems of all of them."""
    from dcsim.scenario import ScenarioError, load

    found: list[Scenario] = []
    problems: list[Problem] = []
    seeded = {} if seed is None else {"seed": seed}
    for file in files:
        try:
            found.append(load(file, set=overrides, **seeded))
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    return found


def unused_notes(scenarios: "Sequence[Scenario]") -> list[str]:
    """Name the keys that are set but that no simulation of these scenarios reads."""
    from dcsim.scenario import unused_keys

    by_keys: dict[str, list[str]] = {}
    for each in scenarios:
        by_keys.setdefault(", ".join(unused_keys(each)), []).append(each.name)
    return [
        f"{', '.join(dict.fromkeys(names))}: set, but not used by this simulation: {keys}"
        for keys, names in by_keys.items()
        if keys
    ]


# --- results ------------------------------------------------------------------------------------------------------


def print_result(document: Callable[[], dict[str, Any]], page: "Callable[[], Page]", as_json: bool) -> None:
    """Print a result on stdout, as JSON or as a report."""
    if as_json:
        out_json(document())
        return
    from dcsim.report.terminal import show

    show(page(), styled(sys.stdout))


# --- progress -----------------------------------------------------------------------------------------------------


class ProgressLine:
    """How far a simulation is, on stderr, once it has taken two seconds: a bar on a terminal, else a line now and then.

    ``kept``: where finished replications of the first ``files`` runs stay if Ctrl-C ends it. ``doing``: what is said
    until there is an interval.
    """

    def __init__(self, kept: Path | None = None, files: int = 0, doing: str = "simulating") -> None:
        self.kept, self.files, self.doing = kept, files, doing
        self.terminal = sys.stderr.isatty()
        self.bar: Bar | None = None
        self.task: TaskID | None = None
        self.error, self.error_at = "", 0.0
        self.begun, self.next_line = time.monotonic(), BAR_AFTER_S
        self.first: tuple[int, float] | None = None
        self.timer = Timer(BAR_AFTER_S, self.begin)  # the first replication may take longer than that
        self.timer.daemon = True

    def __enter__(self) -> "ProgressLine":
        if self.terminal:
            self.timer.start()
        return self

    def begin(self) -> None:
        """Show a bar that does not know its length yet."""
        bar = _bar()
        self.task = bar.add_task(self.doing, total=None)
        bar.start()
        self.bar = bar

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.timer.cancel()
        if self.terminal:
            self.timer.join()
        if self.bar is not None:
            self.bar.stop()
        if isinstance(error, KeyboardInterrupt) and hasattr(error, "samples"):
            finished = sum(len(sample) for sample in error.samples[: self.files] if sample is not None)
            for note in getattr(error, "__notes__", ()):
                say(f"note: {note}")
            told = "nothing is kept"
            if self.kept and finished:
                told = f"{finished} finished replications are kept in {self.kept}/, and --resume goes on from there"
            say(f"interrupted: {told}")
            raise click.exceptions.Exit(exit_code())

    def __call__(self, done: int, total: int, running: "Running") -> None:
        """Show ``done`` of ``total`` replications and the 95 % interval of the scenario that advanced last."""
        if not self.terminal:
            self._line(done, total)
        if self.bar is None or self.task is None:
            return
        from dcsim.decide.ablation import BEFORE
        from dcsim.report.page import printable

        now = time.monotonic()
        if now - self.error_at > ERROR_EVERY_S and BEFORE not in running.name:  # of a step of a bridge nobody asks
            half_width, self.error_at = running.half_width, now
            if half_width is not None:
                self.error = f"{printable(running.name, 24)} ± {100 * half_width:.2g} pp"
        self.bar.update(self.task, completed=done, total=total, description=self.error or self.doing)

    def _line(self, done: int, total: int) -> None:
        """Print how far it is, twice as long after the last time as before: a log stays short."""
        took = time.monotonic() - self.begun
        if self.first is None:
            self.first = done, took  # they waited for the start, and perhaps for a compiler
        if took < self.next_line or done >= total:
            return
        self.next_line = max(LINE_AFTER_S, 2 * took)
        before, waited = self.first
        left = (took - waited) / (done - before) * (total - done) if done > before else None
        more = "" if left is None else f", about {max(1, round(left)):,} s left"
        say(f"{self.doing}: {done:,} of {total:,} runs after {took:,.0f} s{more}")


def _bar() -> "Bar":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from dcsim.report.terminal import visible_console

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    return Progress(*columns, console=visible_console()(file=styled(sys.stderr)), redirect_stdout=False, transient=True)


# --- simulations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a verb that simulates was asked for: values of ``FILES``, ``SIMULATION`` and, if it has them, ``KEPT``."""

    files: tuple[str, ...]
    replications: int | None
    workers: int | None
    executor: "Executor"
    seed: int | None
    overrides: tuple[str, ...]
    engine: "WantedEngine"
    as_json: bool
    monthly: bool = True
    output: Path | None = None
    resume: bool = False
    precision: str | None = None
    shard: "Shard | None" = None
    report: bool = True

    @cached_property
    def scenarios(self) -> "list[Scenario]":
        """The files as scenarios; raises ScenarioError."""
        return scenarios_of(self.files, self.overrides, self.seed)

    @property
    def notes(self) -> list[str]:
        """What the report says about the scenarios."""
        return unused_notes(self.scenarios)

    @property
    def origins(self) -> list[dict[str, str]]:
        """Where the values of each scenario are from."""
        from dcsim.scenario.provenance import origins

        seeded = {} if self.seed is None else {"seed": "--seed"}
        return [
            origins(each, file, self.overrides) | seeded for each, file in zip(self.scenarios, self.files, strict=True)
        ]

    def how(self, verb: str, progress: ProgressLine) -> "How":
        """Return the keywords that ``dcsim.decide`` takes; the command is noted without what changes no result."""
        from dcsim.decide import REPLICATIONS

        changed = [part for override in self.overrides for part in ("--set", override)]
        how: How = {
            "workers": self.workers,
            "engine": self.engine,
            "monthly": self.monthly,
            "executor": self.executor,
            "output": self.output,
            "resume": self.resume,
            "progress": progress,
            "command": ("dcsim", verb, *self.files, *changed),
            "origins": self.origins,
        }
        if self.shard is not None:
            how["shard"] = self.shard
        if self.precision is not None:
            how["precision"] = self.precision
        if self.precision is None or self.replications is not None:
            how["replications"] = self.replications or REPLICATIONS
        return how
