"""How a job measured its own time, as a page: what was productive, what took the rest, and what that is called here."""

from typing import Any

from dcsim.calibrate import rate
from dcsim.records.gathered import Shares
from dcsim.records.measured import PRODUCTIVE
from dcsim.report.calibrate_warnings import span, three
from dcsim.report.document import WORDS, Page
from dcsim.report.figures import MISSING, number, per_cent
from dcsim.report.page import Row, Table

STATES = {
    "WASTED_PROGRESS_FROM_DISRUPTION": ("lost",),
    "INFRASTRUCTURE_RECOVERY_FROM_DISRUPTION": ("detect", "wait"),
    "UNPRODUCTIVE_CHECKPOINT_SAVE_TIME": ("checkpoint",),
    "UNPRODUCTIVE_CHECKPOINT_RESTORE_TIME": ("restore",),
    "TPU_INITIALIZATION": ("failover",),
    "TRAINING_PREP": ("failover",),
    "PROGRAM_STARTUP": ("failover",),
    "ELASTIC_SLICE_DOWN": ("overhead",),
}
"""Bucket of ml-goodput-measurement -> states of the ledger that hold the same time. Others have no counterpart."""


def sentences(shares: Shares) -> tuple[str, ...]:
    """Return the finding: the productive share, the largest loss, and how often the job was disrupted."""
    found = [f"The job was productive for {per_cent(shares.goodput)} % of {span(shares.total_h)}."]
    largest = next(iter(shares.losses.items()), None)
    if largest is not None:
        found.append(f"The largest loss is {words(largest[0])}: {per_cent(largest[1])} % of the time.")
    if shares.disruptions:
        of_job = rate(shares.disruptions, shares.total_h)
        low, high = of_job.mtbf_interval_h
        often = "once" if shares.disruptions == 1 else f"{shares.disruptions:,} times"
        found.append(
            f"It was disrupted {often}: once every {three(of_job.mtbf_h)} h ({three(low)} to {three(high)}, with 95 % "
            "confidence)."
        )
    elif shares.disruptions == 0:
        found.append("It was not disrupted.")
    return tuple(found)


def words(bucket: str) -> str:
    """Return a bucket's name in words."""
    return bucket.lower().replace("_", " ")


def measured_page(shares: Shares, told: tuple[str, ...], broken: list[str]) -> Page:
    """Return the shares as a page: each bucket in hours, as a share, and as the ledger of a simulation calls it."""
    rows = [_row(PRODUCTIVE, shares, ("running",))]
    rows += [_row(name, shares, STATES.get(name, ())) for name in shares.losses]
    notes = (
        "In a simulation: the row of the ledger that holds the same time, in dcsim run; -: dcsim does not simulate it.",
    )
    table = Table("Where the job's time went", ("hours", "share, %", "in a simulation"), tuple(rows), "bucket", notes)
    return Page(sentences(shares), (table,), tuple(f"Read as: {each}." for each in (*told, *broken)))


def _row(name: str, shares: Shares, states: tuple[str, ...]) -> Row:
    hours = shares.hours[name]
    here = ", ".join(WORDS[state] for state in states) or MISSING
    return Row(words(name), (number(hours, 1), per_cent(hours / shares.total_h), here), strong=name == PRODUCTIVE)


def next_step(shares: Shares) -> str:
    """Return what to do with the shares, as a sentence or a command."""
    if shares.disruptions is None:
        return "A scenario needs a count of failures: dcsim calibrate --failures N --units NODES --span HOURS."
    hours = f'"{shares.total_h:.6g} h"'
    command = f"dcsim calibrate --failures {shares.disruptions} --units NODES --span {hours}"
    return f"Next, with the number of nodes of the job: {command}"


def document(shares: Shares) -> dict[str, Any]:
    """Return the shares for a script: hours by bucket, of all hours; ``disruptions`` is None where it is not told."""
    return {
        "form": "goodput",
        "goodput": shares.goodput,
        "hours": dict(shares.hours),
        "total_h": shares.total_h,
        "disruptions": shares.disruptions,
    }
