"""What is sold, on random scenarios: counting changes no account, and the event log says the same of every domain."""

from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.engine.compiled_clock import play
from dcsim.program.program import Program
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from dcsim.scenario.rules import broken_rules
from dcsim.scenario.sampled import sampled
from tests.property.counted_scenarios import counted_scenarios
from tests.property.full_scenarios import full_scenarios
from tests.property.plant_scenarios import plant_scenarios

SHARES = (1.0, 0.97, 0.8, 0.3)


@st.composite
def sold_scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario of any kind in which nodes, domains or racks are sold, of which all or some GPUs are needed."""
    base = draw(st.one_of(counted_scenarios(), full_scenarios(), plant_scenarios()))
    sold = draw(st.sampled_from(["gpu", "node", "nvlink-domain", "rack"]))
    size = plan(base).topology.gpus_per(sold)
    document = base.model_dump(mode="json", exclude_none=True)
    document["sla"] = {"sold": sold, "availability": [f"{100 * share} %" for share in SHARES]}
    document["sla"]["excludes_announced"] = draw(st.booleans())
    if draw(st.booleans()):
        document["sla"]["needs"] = draw(st.integers(1, size))
    try:
        found = Scenario.model_validate(document)
    except ValidationError:
        assume(False)
    assume(not list(broken_rules(found)))
    return found


@settings(max_examples=200)
@given(sold_scenarios(), st.integers(0, 100))
def test_counting_changes_no_account(scenario: Scenario, number: int) -> None:
    """Ledger, failures and months are the same whether something is sold or not; the compiled rules count alike.

    Only GPUs that have places are sold, so ``[sla]`` gives places to a cluster that has none. Whether a node for which
    another one was blamed is among those that the next failure takes is known only then: such failures are left out.
    """
    assume(not any(each.wrong_node and not each.placed for each in scenario.hazards))
    bare = play(Program(scenario.model_copy(update={"sla": None})), [number], compiled=True).ledgers()
    sold = play(Program(scenario), [number], compiled=True).ledgers()
    plain = play(Program(scenario), [number], compiled=False).ledgers()
    for name in ("gpu_ms", "overhead_gpu_ms", "strikes", "failures", "gpu_ms_by_month", "gpu_ms_by_cause"):
        assert np.array_equal(getattr(bare, name), getattr(sold, name)), name
    assert np.array_equal(sold.available_domains, plain.available_domains)


def needs_of(scenario: Scenario, size: int) -> int:
    return scenario.sla.needs or size


def lost_ms(
    scenario: Scenario, columns: dict[str, np.ndarray], month: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ms in which each domain is lost, by month, in all and without what is excluded, and if it had power.

    GPU by GPU, ms by ms: a domain had power before a month if so many GPUs as it needs have been in service at all.
    """
    size = plan(scenario).topology.gpus_per(scenario.sla.sold)
    domains, horizon = scenario.cluster.gpus // size, scenario.horizon
    out = np.zeros((scenario.cluster.gpus, horizon), dtype=bool)
    planned, dark = np.zeros_like(out), np.zeros(scenario.cluster.gpus, dtype=bool)
    served = np.zeros_like(out)  # has been in service by then, be it for no time at all
    names, told = ("what", "phase", "where", "gpus", "start_ms", "failure"), announced(scenario, columns)
    for what, phase, where, gpus, start, failure in zip(*(columns[name].tolist() for name in names), strict=True):
        if what == "place":
            its = slice(where, where + gpus)
            dark[its] |= start == 0 and phase == "unpowered"
            was = out[its, start].copy()
            out[its, start:] = bool(phase)
            served[its, start:] |= not phase
            stays = was & bool(phase)  # out before, and out for something else from now on
            excluded = phase == "maintenance" or failure in told
            planned[its, start:] = np.where(stays, planned[its, start], excluded)[:, None]
    needs = needs_of(scenario, size)
    come = served | ~dark[:, None]
    edges = range(0, horizon, month)
    before = np.stack([come[:, max(0, at - 1)] if at else ~dark for at in edges])
    handed = before[:, : domains * size].reshape(len(before), domains, size).sum(axis=2) >= needs_of(scenario, size)
    lost = []
    for gone in (out, out & ~planned):
        left = (~gone[: domains * size]).reshape(domains, size, horizon).sum(axis=1)
        edges = range(0, horizon, month)
        lost.append(np.stack([(left < needs)[:, at : at + month].sum(axis=1) for at in edges]))
    return lost[0], lost[1], handed


def announced(scenario: Scenario, columns: dict[str, np.ndarray]) -> set[int]:
    """Return the failures of run 0, by their numbers in the log, that are announced, if the contract excludes them."""
    found: set[tuple[str, int, int]] = set()
    for draws in plan(scenario).draws(0) if scenario.sla.excludes_announced else ():
        notice = draws.hazard.notice
        if notice:
            told = draws.noticed & (draws.failures.times >= notice)
            its = draws.failures.times[told].tolist(), draws.failures.marks[told].tolist()
            found |= {(draws.hazard.key, time, mark) for time, mark in zip(*its, strict=True)}
    rows = zip(*(columns[name].tolist() for name in ("what", "why", "start_ms", "where", "failure")), strict=True)
    return {failure for what, why, start, where, failure in rows if what == "failure" and (why, start, where) in found}


@settings(max_examples=200)
@given(sold_scenarios(), st.integers(5, 400))
def test_the_log_says_which_domains_are_lost(scenario: Scenario, ms: int) -> None:
    """From the rows of places alone: in how many months each availability was reached."""
    assume(scenario.horizon < 20_000)
    month = max(ms, scenario.horizon // 20)
    scenario = sampled(scenario.model_copy(update={"month": month}), 0)
    runs = play(Program(scenario), [0], compiled=False, logs=2)
    found = runs.ledgers().available_domains[0]
    lengths = np.diff([*range(0, scenario.horizon, month), scenario.horizon])
    *both, handed = lost_ms(scenario, runs.log().columns(), month)
    for lost, columns in zip(both, np.split(found[:, : 2 * len(SHARES)], 2, axis=1), strict=True):
        for number, share in enumerate(SHARES):
            allowed = np.array([round((1 - share) * length) for length in lengths.tolist()])
            assert columns[:, number].tolist() == ((lost <= allowed[:, None]) & handed).sum(axis=1).tolist(), share
    if scenario.energisation:
        assert found[:, -1].tolist() == handed.sum(axis=1).tolist()
    else:
        assert handed.all()


# --- replicas ---------------------------------------------------------------------------------------------------------


@st.composite
def replica_scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario of any kind that sells the replicas of its endless jobs of one size; announced or not."""
    base = draw(st.one_of(counted_scenarios(), full_scenarios(), plant_scenarios()))
    document = base.model_dump(mode="json", exclude_none=True) | {"energisation": []}
    endless = [job for job in base.jobs if job.work is None and not job.submit and job.time_limit is None]
    assume(endless)
    size = draw(st.sampled_from(endless)).gpus
    names = [job.name for job in endless if job.gpus == size]
    shares = [f"{100 * share} %" for share in SHARES]
    document["sla"] = {"sold": "replica", "jobs": names, "availability": shares}
    document["sla"]["excludes_announced"] = draw(st.booleans())
    try:
        found = Scenario.model_validate(document)
    except ValidationError:
        assume(False)
    assume(not list(broken_rules(found)))
    return found


def computing_ms(scenario: Scenario, columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return in which ms each gang that is sold computes, and in which ms its stall is excused, from the log alone.

    A stall is excused from the end of computing to its next beginning by what its gang first stopped for: maintenance,
    or a failure that was announced.
    """
    layout = plan(scenario)
    sold = [gang.index for gang in layout.gangs if scenario.sla.sells(scenario.jobs[gang.job].name)]
    up = np.zeros((len(sold), scenario.horizon + 1), dtype=bool)
    excused = np.zeros_like(up)
    plans = {each.name for each in scenario.maintenance}
    told = announced(scenario, columns)
    noticed = {hazard.key for hazard in scenario.hazards if hazard.notice and scenario.sla.excludes_announced}
    names = ("what", "phase", "gang", "why", "start_ms", "end_ms", "failure")
    rows = list(zip(*(columns[name].tolist() for name in names), strict=True))
    for number, gang in enumerate(sold):
        its = [row for row in rows if row[2] == gang]
        for what, phase, _, why, start, end, _ in its:
            if what == "phase" and phase in ("running", "checkpoint") and not why:
                up[number, start:end] = True
        causes = [(start, what, why, failure) for what, _, _, why, start, _, failure in its if what in CAUSES and why]
        edges = np.flatnonzero(np.diff(up[number].astype(int), prepend=1, append=1))
        for begin, stop in edges.reshape(-1, 2).tolist():
            for start, what, why, failure in causes:  # in the order of the log; the first one counts
                if begin <= start < stop:
                    known = failure in told if what == "strike" else why in noticed
                    excused[number, begin:stop] = why in plans or known
                    break
    return up[:, :-1], excused[:, :-1]


CAUSES = ("strike", "drain", "stop")
"""Rows of what stops a gang and has a cause: a strike, a drain for maintenance, a stop before what is announced."""


@settings(max_examples=200)
@given(replica_scenarios(), st.integers(5, 400))
def test_the_log_says_when_each_replica_computes(scenario: Scenario, ms: int) -> None:
    """From the rows of gangs alone, ms by ms: in how many months each availability was reached."""
    assume(scenario.horizon < 20_000)
    month = max(ms, scenario.horizon // 20)
    scenario = sampled(scenario.model_copy(update={"month": month}), 0)
    runs = play(Program(scenario), [0], compiled=False, logs=2)
    found = runs.ledgers().available_domains[0]
    quiet = play(Program(scenario), [0], compiled=False).ledgers()  # failures that stand alone are settled at once
    assert np.array_equal(quiet.available_domains[0], found)
    up, excused = computing_ms(scenario, runs.log().columns())
    edges = [*range(0, scenario.horizon, month), scenario.horizon]
    for columns, lost in zip(np.split(found, 2, axis=1), (~up, ~up & ~excused), strict=True):
        down = np.stack([lost[:, low:high].sum(axis=1) for low, high in pairwise(edges)])
        for number, share in enumerate(SHARES):
            allowed = np.array([round((1 - share) * length) for length in np.diff(edges).tolist()])
            assert columns[:, number].tolist() == (down <= allowed[:, None]).sum(axis=1).tolist(), share


@settings(max_examples=100)
@given(replica_scenarios(), st.integers(0, 100))
def test_counting_replicas_changes_no_account(scenario: Scenario, number: int) -> None:
    """Ledger, failures and months are the same whether replicas are sold or not; the compiled rules count alike."""
    bare = play(Program(scenario.model_copy(update={"sla": None})), [number], compiled=True).ledgers()
    sold = play(Program(scenario), [number], compiled=True).ledgers()
    plain = play(Program(scenario), [number], compiled=False).ledgers()
    for name in ("gpu_ms", "overhead_gpu_ms", "strikes", "failures", "gpu_ms_by_month", "gpu_ms_by_cause"):
        assert np.array_equal(getattr(bare, name), getattr(sold, name)), name
    assert np.array_equal(sold.available_domains, plain.available_domains)
