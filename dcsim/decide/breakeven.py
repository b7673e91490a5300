"""Break-evens: the price, or the value of a key, at which two offers are equally good, on common random numbers."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dcsim.decide.accounts import grid_inputs_of
from dcsim.decide.breakeven_prices import Price, monthly, months, notes_of, prices_of
from dcsim.decide.breakeven_threshold import Threshold, checked, threshold
from dcsim.decide.display import Displayed
from dcsim.decide.documents import runs_json
from dcsim.decide.energisation import asked_of, bridge_price, is_bridged, on_time
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.result import RunResult
from dcsim.decide.variants import SPARES, at, bought, simulate_variants
from dcsim.hazards import Hazard
from dcsim.montecarlo import Progress, WantedEngine, slug
from dcsim.problems import not_one_of
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, certain, read, sha256
from dcsim.scenario.errors import dotted
from dcsim.scenario.unused import unused_keys
from dcsim.shipped import shipped_files
from dcsim.topology.build import build
from dcsim.units import HOURS_PER_MONTH, MS_PER_H, MS_PER_MIN

OPTION = "WHAT"
MTBF_STEP_H = 1_000
BRIDGE = "bridge-power"
QUESTIONS = {
    "licence": "the price of software that FILE has and the other has not, per GPU-hour",
    "tor": "a second ToR (leaf switch) that FILE has and the other has not, per ToR and month",
    "spare": "one more spare GPU, per month",
    "detection": "a minute less until failures are noticed, per month (detection:NAME of one hazard)",
    "failover": "a minute less of failover, per month (failover:NAME of one job)",
    "restore": "a minute less of restore, per month (restore:NAME of one job)",
    "mtbf": "1,000 h more of MTBF, per month (mtbf:NAME where there are several hazards)",
    BRIDGE: "power behind the meter until the grid comes, against waiting for it, per kWh beyond the grid's price",
}
"""What may be asked by name, and what its price is of; KEY=LOWEST:HIGHEST asks where two offers are equal."""
AGAINST = frozenset(("licence", "tor"))
"""Questions about two files."""


@dataclass(frozen=True, repr=False)
class BreakEven(Displayed):
    """An answer: ``offer`` has what the question is about, ``against`` has not, or less of it.

    ``what``: the question as it was asked. ``prices`` [USD, ``per`` what]: empty where a key was asked for, which
    ``threshold`` then answers. ``costs``: what one costs as the scenario has it [USD], None where it says nothing.
    ``folder``: of the runs of all variants, None if they were not kept.
    """

    what: str
    title: str
    per: str
    offer: RunResult
    against: RunResult
    prices: tuple[Price, ...] = ()
    threshold: Threshold | None = None
    costs: float | None = None
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def energy_counts(self) -> bool:
        """Whether energy is paid beside the rent, and so is part of what is compared."""
        return any(run.energy is not None and run.energy.usd for run in (self.offer, self.against))

    def __str__(self) -> str:
        """Return the answer in a line."""
        if self.threshold is not None:
            return f"{self.what}: {self.threshold}"
        return f"{self.title}: worth up to {self.prices[0].simulated.mean:,.4g} USD {self.per}"

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim breakeven --json`` prints."""
        return runs_json([self.offer, self.against]) | {
            "breakeven": {
                "what": self.what,
                "per": self.per,
                "prices": [each.to_json() for each in self.prices],
                "threshold": None if self.threshold is None else self.threshold.to_json(),
                "costs_usd": self.costs,
                "energy_counts": self.energy_counts,
                "notes": list(self.notes),
            }
        }


def breakeven(
    scenario: Source,
    what: str,
    *,
    against: Source | None = None,
    replications: int | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    output: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    monthly: bool = False,
    executor: Executor = "local",
    command: Sequence[str] = (),
) -> BreakEven:
    """Return at which price, or at which value of a key, a scenario and another one are equally good.

    ``what``: a name of ``QUESTIONS``, or ``KEY=LOWEST:HIGHEST`` for a key of ``scenario``. ``against``: the other one;
    the questions of one file make it from the scenario itself. Equally good: a useful GPU-hour costs the same, energy
    included where it is paid beside the rent; of "bridge-power" the owner's discounted cash is the same.
    ``replications``: of every variant (default 100). Other keywords as in ``dcsim.run``. Raises ScenarioError for a
    question that cannot be asked, else as ``dcsim.run``.
    """
    offer = read(scenario, set=set, **({} if seed is None else {"seed": seed}))
    other = None if against is None else read(against, set=set, seed=offer.seed)
    _check_name(what)
    for each in filter(None, (offer, other)):
        if each.tco is None and what != BRIDGE:
            raise _wrong_question(f'{each.name} has no prices; give [tco], such as --set tco.gpu_hour="4 USD"')
    folder = None if output is None else Path(output) / _folder_name(offer, other, what)
    how: How = {
        "replications": REPLICATIONS if replications is None else replications,
        "workers": workers,
        "output": folder,
        "resume": resume,
        "progress": progress,
        "engine": engine,
        "monthly": monthly,
        "executor": executor,
        "command": command,
    }
    return replace(_answered(offer, other, what, how), folder=folder)


def _folder_name(offer: Scenario, other: Scenario | None, what: str) -> str:
    """Return the name of the folder of a question: it follows from the question alone."""
    asked = "\n".join([sha256(offer), "" if other is None else sha256(other), what])
    return f"breakeven-{slug(f'{offer.name} {what}')}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def _answered(offer: Scenario, other: Scenario | None, what: str, how: How) -> BreakEven:
    if "=" in what:
        return _of_key(offer, _needed(other, what), what, how)
    name, _, one = what.partition(":")
    if what == BRIDGE:
        return _of_bridge(offer, other, how)
    if name in AGAINST:
        return _of_two(offer, _needed(other, what), name, how)
    if other is not None:
        raise _wrong_question(f"{name} is about FILE alone; allowed with --against: licence, tor, KEY=LOWEST:HIGHEST")
    return _of_step(offer, name, one, how)


def _check_name(what: str) -> None:
    """Raise ScenarioError for a question that there is not."""
    if "=" in what or what.partition(":")[0] in QUESTIONS:
        return
    told = not_one_of([*QUESTIONS, "KEY=LOWEST:HIGHEST"], what)
    if what in shipped_files("scenarios") or what.endswith(".toml"):
        told += "; an offer to compare with goes behind --against"
    raise _wrong_question(told)


def _wrong_question(told: str) -> ScenarioError:
    return ScenarioError([Problem(OPTION, None, "", told)])


def _needed(other: Scenario | None, what: str) -> Scenario:
    if other is None:
        raise _wrong_question(f"{what} needs a second offer: --against FILE2")
    return other


# --- questions of two offers ------------------------------------------------------------------------------------------


def _of_two(offer: Scenario, other: Scenario, name: str, how: How) -> BreakEven:
    """Return the price of what one offer has and the other has not: a licence, or second ToRs."""
    if name == "tor":
        count = _leaves(offer) - _leaves(other)
        if count <= 0:
            told = f"{_leaves(offer):,} leaves in {offer.name} and {_leaves(other):,} in {other.name}"
            raise _wrong_question(f"tor: found {told}; FILE must have more")
    a, b = simulate_variants([_without_licence(offer) if name == "licence" else offer, other], **how)
    assert offer.tco is not None
    if name == "tor":
        return BreakEven(
            name, "A second ToR", "a month", a, b, prices_of(a, b, months(a) * count), notes=notes_of(a, b)
        )
    hours = months(a) * HOURS_PER_MONTH * offer.cluster.gpus
    prices = prices_of(a, b, hours, discount=True)
    costs = offer.tco.licence or None
    return BreakEven(name, "The licence", "per GPU-hour", a, b, prices, costs=costs, notes=notes_of(a, b))


def _without_licence(offer: Scenario) -> Scenario:
    """Return an offer without what it pays for its licence: its price is the question."""
    assert offer.tco is not None
    return offer.model_copy(update={"tco": offer.tco.model_copy(update={"licence": 0.0})})


def _leaves(scenario: Scenario) -> int:
    return build(scenario.cluster.topology, scenario.cluster.gpus).components("leaf")


def _of_key(offer: Scenario, other: Scenario, what: str, how: How) -> BreakEven:
    """Return the value of a key at which two offers are equally good."""
    key, _, ends = what.partition("=")
    checked(offer, key.strip(), ends, OPTION)  # before anything is simulated
    (against,) = simulate_variants([other], **how)
    found, run = threshold(offer, key.strip(), ends, against, how, OPTION)
    return BreakEven(what, key.strip(), "", run, against, threshold=found, notes=notes_of(run, against))


def _of_bridge(offer: Scenario, other: Scenario | None, how: How) -> BreakEven:
    """Return what power behind the meter may cost: of one offer that waits, or of two of which the first has it."""
    offer = asked_of(OPTION, offer)
    if other is None:
        if is_bridged(offer):
            raise _wrong_question(f"{BRIDGE}: {offer.name} is bridged already; give what waits: --against FILE2")
        waits, offer = offer, on_time(offer, range(len(offer.energisation)))
        note = (
            "Power behind the meter is as good as the grid's here: it is there at the closing and never fails. It "
            "carries what the racks take until their dates; switches outside of racks draw power all along."
        )
    else:
        if not is_bridged(offer):
            told = "FILE needs a phase with grid = true, or leave --against out"
            raise _wrong_question(f"{BRIDGE}: {offer.name} has no power behind the meter until its grid comes; {told}")
        if other.owner is None:
            raise _wrong_question(f"{BRIDGE}: {other.name}: owner: missing; this is about an owner")
        waits = other if other.grid is not None else other.model_copy(update={"grid": offer.grid})
        if offer.horizon != waits.horizon or _discount(offer) != _discount(waits):
            raise _wrong_question(f"{BRIDGE}: both offers must have the same horizon and the same grid.discount")
        note = "Rent of generators ([grid] standby) is paid beside the premium, as the scenario has it."
    b, a = simulate_variants([waits, offer], **how)
    grid = certain(offer).grid
    costs = None if other is None or grid is None else grid.premium
    notes = (note, "The formula takes mean dates and full load, and no failure.")
    title = "A kWh behind the meter"
    return BreakEven(BRIDGE, title, "more than from the grid", a, b, (bridge_price(a, b),), costs=costs, notes=notes)


def _discount(scenario: Scenario) -> object:
    return grid_inputs_of(certain(scenario))[0].value


# --- questions of one offer: a step of one of its inputs ------------------------------------------------------------


def _of_step(offer: Scenario, name: str, one: str, how: How) -> BreakEven:
    """Return what a step of an input is worth by the month: the offer with it against the offer without."""
    count = 1
    if name == "spare":
        if one:
            raise _wrong_question(f"spare:{one}: found a name; spare has none")
        if offer.cluster.in_rack_spares:
            raise _wrong_question(
                "spare: spares lie in racks here (cluster.in_rack_spares); compare two scenarios instead"
            )
        count = build(offer.cluster.topology, offer.cluster.gpus).gpus_per_node
        better, base = at(offer, bought(offer, {SPARES: offer.cluster.spares + count}), OPTION), offer
        title = "One more spare GPU"
    elif name in ("detection", "mtbf"):
        hazards = _chosen(offer, name, one, [each.key for each in offer.hazards])
        better, base, title = _hazards_moved(offer, name, hazards)
    else:
        jobs = _chosen(offer, name, one, [each.name for each in offer.jobs])
        better, base, title = _jobs_moved(offer, name, jobs)
        keys = [dotted(("jobs", offer.jobs[number].name, "recovery", name)) for number in jobs]
        if set(keys) <= set(unused_keys(base)) | set(unused_keys(better)):
            what = f"the simulation of {offer.name} does not read {', '.join(keys)}, so a minute of it changes nothing"
            raise _wrong_question(f"{name}: {what}; what it reads: dcsim sensitivity FILE --vary '10 %'")
    b, a = simulate_variants([base, better], **how)
    assert offer.tco is not None
    notes, costs = notes_of(a, b), None
    if name == "spare":
        notes = ()
        costs = monthly(a.estimate.tco) - monthly(b.estimate.tco)
        prices = prices_of(a, b, months(a) * count, free=costs, published=False)
        prices = tuple(replace(each, formula=None, theory=None) for each in prices)  # neither knows waiting
        costs /= count
        notes += (
            f"The price is of one of {count} GPUs: spares come by the node, and cluster.gpus grows with them.",
            "Formula and exact theory know no waiting for hardware, so they say nothing of spares.",
        )
    else:
        prices = prices_of(a, b, months(a))
    return BreakEven(f"{name}:{one}" if one else name, title, "a month", a, b, prices, costs=costs, notes=notes)


def _chosen(offer: Scenario, name: str, one: str, names: Sequence[str]) -> list[int]:
    """Return the numbers of the hazards or jobs that a question is about; all of them, unless one is named."""
    if not names:
        raise _wrong_question(f"{name}: {offer.name} has none to change")
    if one and one not in names:
        raise _wrong_question(f"{name}: {not_one_of(names, one)}")
    if name == "mtbf" and not one and len(names) > 1:
        raise _wrong_question(f"mtbf: there are several hazards; ask for one: mtbf:{', mtbf:'.join(names)}")
    return [number for number, each in enumerate(names) if not one or each == one]


def _hazards_moved(offer: Scenario, name: str, numbers: Sequence[int]) -> tuple[Scenario, Scenario, str]:
    """Return the offer after and before a step: a minute less of detection, or 1,000 h more of MTBF."""
    hazards = list(offer.hazards)
    if name == "mtbf":
        for number in numbers:
            hazard = hazards[number]
            mean = round(hazard.lifetime.mean_ms) + MTBF_STEP_H * MS_PER_H
            mtbf = mean if isinstance(hazard.mtbf, int) else hazard.lifetime.with_mean(mean)
            hazards[number] = hazard.model_copy(update={"mtbf": mtbf, "mtbf_range": None})
        title = f"{MTBF_STEP_H:,} h more of the MTBF of {hazards[numbers[0]].key}"
        return offer.model_copy(update={"hazards": tuple(hazards)}), offer, title
    moved = {number: _detect_of(hazards[number]) for number in numbers}
    less = _minute({hazards[number].key: time for number, time in moved.items()})
    for number, time in moved.items():
        hazards[number] = hazards[number].model_copy(update={"detect": time + less})
    changed = offer.model_copy(update={"hazards": tuple(hazards)})
    return *((changed, offer) if less < 0 else (offer, changed)), "A minute of detection"


def _detect_of(hazard: Hazard) -> int:
    if not isinstance(hazard.detect, int):
        told = "found a distribution; set it to a time first, such as --set"
        raise _wrong_question(f'detection: hazards.{hazard.key}.detect: {told} hazards.{hazard.key}.detect="5 min"')
    return hazard.detect


def _jobs_moved(offer: Scenario, key: str, numbers: Sequence[int]) -> tuple[Scenario, Scenario, str]:
    """Return the offer after and before a minute less of failover or restore."""
    jobs = list(offer.jobs)
    times = {jobs[number].name: int(getattr(jobs[number].recovery, key)) for number in numbers}
    less = _minute(times)
    for number in numbers:
        recovery = jobs[number].recovery
        update = {key: times[jobs[number].name] + less}
        jobs[number] = jobs[number].model_copy(update={"recovery": recovery.model_copy(update=update)})
    changed = offer.model_copy(update={"jobs": tuple(jobs)})
    return *((changed, offer) if less < 0 else (offer, changed)), f"A minute of {key}"


def _minute(times: Mapping[str, int]) -> int:
    """Return the step [ms]: a minute less, or more where one of the times is shorter than that."""
    return -MS_PER_MIN if min(times.values()) >= MS_PER_MIN else MS_PER_MIN
