"""Whether the tables of money fit the rest of a scenario."""

from dcsim.problems import not_one_of
from dcsim.scenario.model import Scenario
from dcsim.scenario.rules_of_jobs import Broken


def of_money(scenario: Scenario) -> Broken:
    """Yield every rule that [tco], [owner], [finance], [grid] and [tokens] break beside the rest of a scenario."""
    yield from _rent(scenario)
    yield from _tokens(scenario)
    yield from _owner(scenario)
    yield from _grid(scenario)


def _rent(scenario: Scenario) -> Broken:
    """Refuse rent until the work is done where some job has none to finish."""
    if scenario.tco is not None and scenario.tco.until == "done" and not scenario.ends:
        endless = next(job.name for job in scenario.jobs if job.work is None)
        yield ("tco", "until"), f'found "done"; allowed only where every job has work, and "{endless}" has none'


def _owner(scenario: Scenario) -> Broken:
    owner = scenario.owner
    if owner is not None and owner.rent is None and scenario.tco is None:
        yield ("owner", "rent"), "required where no [tco] says what a GPU-hour is rented out for"
    if owner is not None and owner.paid == "energisation" and not any(each.racks for each in scenario.energisation):
        yield ("owner", "paid"), 'found "energisation"; allowed only where a phase of [[energisation]] has racks'
    if owner is None and scenario.finance is not None:
        yield ("owner",), "missing; required (finance is given: its debt pays for the capital of an [owner])"


def _grid(scenario: Scenario) -> Broken:
    """Refuse prices of bridge power where nobody pays them, or where no grid is waited for."""
    keys = [key for key in ("premium", "standby") if scenario.grid and getattr(scenario.grid, key)]
    if keys and scenario.owner is None:
        yield ("grid", keys[0]), "found without [owner]; required: who pays it"
    elif keys and not any(phase.grid for phase in scenario.energisation):
        yield ("grid", keys[0]), "found without a phase of [[energisation]] with grid = true; it is paid until then"


def _tokens(scenario: Scenario) -> Broken:
    """Refuse tokens of jobs that are not there or that end, and tokens whose GPUs nobody pays for."""
    if scenario.tokens is None:
        return
    if scenario.tco is None and scenario.owner is None:
        yield ("tokens",), "found without [tco] and [owner]; one is required: what the seller pays for the GPUs"
    names = [job.name for job in scenario.jobs]
    for index, name in enumerate(scenario.tokens.jobs or ()):
        if name not in names:
            yield ("tokens", "jobs", index), not_one_of(names, name)
    ends = [job.name for job in scenario.jobs if job.work is not None and scenario.tokens.serves(job.name)]
    if ends:
        yield ("tokens",), f'found job "{ends[0]}" with work; jobs whose tokens are sold run to the horizon'
