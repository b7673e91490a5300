"""The processes of a cluster, one kind for each thing that it is made of. Each waits for what is due for it.

What happens then is up to the rules: a process knows when, ``happenings`` knows what.
"""

from typing import TYPE_CHECKING

from dcsim.engine.simpy_clock_calendar import Box, Waits

if TYPE_CHECKING:
    from dcsim.engine.simpy_clock import SimPyRun


# --- failures, their detection and their repair ---------------------------------------------------------------------


def known_failures(run: "SimPyRun", hazard: int, times: list[int]) -> Waits:
    """The failures of a hazard at a constant rate, of a record or of bursts: drawn beforehand, one after the other."""
    for at in times:
        yield run.calendar.at(at, run.calendar.failures_strike + hazard)
        run.call("next_known_failure", at)


def ageing_failures(run: "SimPyRun", box: Box) -> Waits:
    """The failures of a hazard whose components age: repairs and downtime move them."""
    while True:
        at = yield box.next()
        run.call("next_age_failure", at)


def detection(run: "SimPyRun", box: Box) -> Waits:
    """An incident is found after its detection time; of a relapse there is another detection."""
    while box.due:
        run.happen((yield box.next()))


def notices(run: "SimPyRun", box: Box) -> Waits:
    """Failures that were announced come, one after the other: it is time for gangs to move away, or to save."""
    while True:
        run.happen((yield box.next()))


def repair(run: "SimPyRun", box: Box, number: int) -> Waits:
    """An incident's repair: stage after stage, each with a crew that it may wait for, then the test and the return.

    While it waits for a crew nothing is due for it: whoever is done takes it on (``repairs.end_stage``).
    """
    while number in run.under_way:
        run.happen((yield box.next()))


def visits(run: "SimPyRun", box: Box) -> Waits:
    """Those who repair together all that waits for them come on their days, or when there is reason enough."""
    while True:
        run.happen((yield box.next()))


# --- jobs -----------------------------------------------------------------------------------------------------------


def service(run: "SimPyRun", box: Box) -> Waits:
    """Those who want hardware leave detection, queue, and are served with hot spares and what comes back."""
    while True:
        run.happen((yield box.next()))


def arrival(run: "SimPyRun", box: Box) -> Waits:
    """A job is submitted later than at t = 0."""
    run.happen((yield box.next()))


def end_of_work(run: "SimPyRun", box: Box) -> Waits:
    """A gang whose work has an end: each change of its speed plans it anew, and the rule knows which plan is void."""
    while True:
        run.happen((yield box.next()))


def saving(run: "SimPyRun", box: Box) -> Waits:
    """A gang that knows what comes has written a checkpoint just in time, or moved away; or it passes a preflight."""
    while True:
        run.happen((yield box.next()))


def retests(run: "SimPyRun", box: Box) -> Waits:
    """Good members that failed a preflight by mistake are tested again, and come back."""
    run.happen((yield box.next()))


def time_limit(run: "SimPyRun", box: Box) -> Waits:
    """A gang has its hardware for so long at a time; then it is kept from the queue for a while."""
    while True:
        run.happen((yield box.next()))


def relapses(run: "SimPyRun", box: Box) -> Waits:
    """Faulty members that were not found strike when their gang computes again."""
    while True:
        run.happen((yield box.next()))


def transfers(run: "SimPyRun", box: Box) -> Waits:
    """A gang loads its state and writes it, in the queue of the storage gateways and through the network."""
    while True:
        run.happen((yield box.next()))


# --- plant ----------------------------------------------------------------------------------------------------------


def energisation(run: "SimPyRun", box: Box) -> Waits:
    """A phase of racks, or the grid, gets power on its date."""
    run.happen((yield box.next()))


def maintenance(run: "SimPyRun", listing: int, times: list[int]) -> Waits:
    """The calendar of one kind of planned maintenance: its windows open one after the other."""
    for at in times:
        yield run.calendar.at(at, run.calendar.windows_open + listing)
        run.call("open_window", at)


def window(run: "SimPyRun", box: Box) -> Waits:
    """One window: its gangs drain, its component leaves service, and it comes back."""
    while box.due:
        run.happen((yield box.next()))
