"""What the verbs share: options, files that become scenarios, progress, and how a result is printed."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dcsim.cli import FAILED
from dcsim.cli.screen import out_json, say, styled

if TYPE_CHECKING:
    from dcsim.cli.progress import ProgressLine
    from dcsim.decide.gates import Gate, Judged
    from dcsim.decide.outcome import Executor, How
    from dcsim.montecarlo import Shard, WantedEngine
    from dcsim.report.document import Page
    from dcsim.scenario import Problem, Scenario

Function = TypeVar("Function", bound=Callable[..., Any])


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
FAIL_IF = click.option(
    "--fail-if", multiple=True, metavar='"FIGURE > X"',
    help="Exit with 1 if this holds (repeatable): 'loss > 6 %', 'p95(paid_usd) > 6e8', 'p(loss > 8 %) > 5 %', "
    "'p(cheaper, NAME) < 0.9' of offers that are compared.",
)  # fmt: skip


def kept(monthly: bool = True) -> tuple[Callable[[Function], Function], ...]:
    """Return the options that say what is kept, and where; ``monthly``: whether months are kept by default."""
    return (
        click.option(
            "--monthly/--no-monthly", default=monthly,
            help="Keep the GPU-time of each run by month and by cause too, a few kB a run "
            f"(default: {'yes' if monthly else 'no'}).",
        ),
        click.option(
            "--resume", is_flag=True, help="Continue with the replications that the output folder already holds."
        ),
        click.option(
            "-o", "--output", type=click.Path(path_type=Path), default=Path("outputs"), callback=writable,
            metavar="DIR", help="Folder that keeps the replications (default: outputs).",
        ),
        click.option(
            "--no-report", "report", is_flag=True, flag_value=False, default=True,
            help="Write no report.html into the folder of the run.",
        ),
    )  # fmt: skip


KEPT = kept()


def _shard(_: click.Context, __: click.Parameter, text: str | None) -> "Shard | None":
    if text is None:
        return None
    from dcsim.montecarlo import Shard

    try:
        return Shard.read(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def shard_option(about: str) -> Callable[[Function], Function]:
    """Return the option that takes a part of the replications, for one of several machines."""
    return click.option("--shard", metavar="K/N", callback=_shard, help=about)


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
    """Read every file; raise ScenarioError with the problems of all of them.

    Where two files have one name, the file stands behind it: a copy is often changed and not renamed.
    """
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
    labels = _labels(files)
    files_of: dict[str, set[str]] = {}
    for file, each in zip(files, found, strict=True):
        files_of.setdefault(each.name, set()).add(file)
    return [
        each if len(files_of[each.name]) == 1 else each.model_copy(update={"name": f"{each.name} ({labels[file]})"})
        for file, each in zip(files, found, strict=True)
    ]


def _labels(files: Sequence[str]) -> dict[str, str]:
    """Return what tells files apart: their stems, or where two have one stem what they are called."""
    called = {file: file.removesuffix(".toml") for file in files}
    stems = {file: Path(name).name for file, name in called.items()}
    return stems if len(set(stems.values())) == len(stems) else called


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


# --- gates --------------------------------------------------------------------------------------------------------


def tell_gates(judged: "Sequence[Judged]") -> None:
    """Say which gates are broken, then which are not certain, on stderr; exit with 1 if one is broken."""
    from dcsim.report.limits import gate_lines

    for line in gate_lines(judged):
        say(line)
    if any(each.broken for each in judged):
        raise click.exceptions.Exit(FAILED)


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
    fail_if: tuple[str, ...] = ()

    @cached_property
    def gates(self) -> "tuple[Gate, ...]":
        """What ``--fail-if`` asks; raises ScenarioError."""
        from dcsim.decide.gates import read_gates

        return read_gates(self.fail_if) if self.fail_if else ()

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

    def how(self, verb: str, progress: "ProgressLine") -> "How":
        """Return the keywords that ``dcsim.decide`` takes; the command is noted without what changes no result."""
        from dcsim.decide import REPLICATIONS

        changed = [part for override in self.overrides for part in ("--set", override)]
        changed += [part for gate in self.fail_if for part in ("--fail-if", gate)]  # a report is about them, too
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
