"""How far a simulation is: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import click

from dcsim.cli.screen import say, styled
from dcsim.cli.signals import exit_code

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from dcsim.montecarlo import Running

BAR_AFTER_S = 2.0
"""A progress bar is shown from here on [s]; source: assumed."""
LINE_AFTER_S = 10.0
"""Without a terminal, a second line comes no sooner [s]; source: assumed."""
ERROR_EVERY_S = 0.5
"""The interval in the progress bar changes no more often [s]; source: assumed."""


class ProgressLine:
    """How far a simulation is, on stderr, once it has taken two seconds: a bar on a terminal, else a line now and then.

    ``kept``: where finished replications of the first ``files`` runs (None: of all) stay if Ctrl-C ends it. ``doing``:
    what is said until there is an interval.
    """

    def __init__(self, kept: Path | None = None, files: int | None = 0, doing: str = "simulating") -> None:
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
            if self.files is None:
                finished = getattr(error, "finished", finished)
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
