"""Integers that no change of the program may change: what is frozen, and what today's program gives.

tests/golden/frozen/ holds random scenarios as text, by kind (written once by ``scripts/freeze --draw KIND``, and never
again), one line of hashes for each scenario, and all integers of the shipped scenarios, so that a difference can be
read. Hashes are over names and decimal numbers, zeros left out: nothing in them depends on the machine, on Python or
on numpy, and a state or an owner's column that is new and always 0 changes nothing.
"""

import hashlib
import json
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dcsim.engine import simulate_with_log
from dcsim.ledger import CAUSES, STATES, Accounts
from dcsim.montecarlo.engines import choose, simulate_many
from dcsim.scenario import Scenario, read
from dcsim.scenario.sampled import sampled
from dcsim.shipped import shipped_files

FOLDER = Path(__file__).parent / "frozen"
HASHES = FOLDER / "hashes.txt"
SHIPPED = FOLDER / "shipped.json"
KINDS = ("counted", "full", "plant", "storage")
SEED, COUNT = 20_261_128, 1000
"""Seed of the draws of each kind, and how many scenarios were kept; chosen before the first draw."""
RUNS = (0, 1, 2, 3)
SLOW = (
    "airesim-table1/corrected-repair",
    "airesim-table1/own-semantics",
    "airesim-table1/usual-semantics",
    "plant/optics-co-packaged",
    "plant/optics-pluggable",
    "plant/storm-narrow",
    "plant/storm-wide",
    "plant/turbines-12",
    "plant/turbines-7",
)
"""Shipped scenarios of which one run took more than 1 s when the integers were frozen."""

Integers = dict[str, Any]
Columns = dict[str, list[Any]]


# --- scenarios


def kept(kind: str) -> Path:
    """Return the file that holds the random scenarios of one kind, a JSON object a line."""
    return FOLDER / f"{kind}.jsonl.xz"


def random_scenarios(kind: str) -> list[dict[str, Any]]:
    """Return the frozen scenarios of one kind, as a scenario file would hold them."""
    return [json.loads(line) for line in lzma.decompress(kept(kind).read_bytes()).decode().splitlines()]


def write_scenarios(kind: str, scenarios: Sequence[Scenario]) -> None:
    """Keep random scenarios of one kind."""
    lines = [json.dumps(each.model_dump(mode="json", exclude_defaults=True)) for each in scenarios]
    again = [Scenario.model_validate(json.loads(line)) for line in lines]
    assert again == list(scenarios), "a scenario's text does not give the scenario"
    kept(kind).write_bytes(
        lzma.compress("".join(f"{line}\n" for line in lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    )


def all_scenarios() -> Iterator[tuple[str, Scenario]]:
    """Yield name and scenario of all that is frozen: ``shipped/pretrain-5184/gold``, ``plant/17``."""
    for name in shipped_files("scenarios"):
        yield f"shipped/{name}", read(name)
    for kind in KINDS:
        for number, document in enumerate(random_scenarios(kind)):
            yield f"{kind}/{number}", Scenario.model_validate(document)


# --- integers


def accounts(scenario: Scenario, numbers: Sequence[int] = RUNS) -> list[Accounts]:
    """Simulate these runs with the clock that dcsim chooses."""
    ledgers = simulate_many(choose(), scenario, numbers)
    return [ledgers.account(index) for index in range(len(ledgers))]


def integers(run: Accounts) -> Integers:
    """Return all integers of a run by name, without zeros."""
    owners = {}
    for row, owner in enumerate(run.owners):
        found = {state: int(run.gpu_ms[row, column]) for column, state in enumerate(STATES)}
        found |= {f"overhead/{cause}": int(run.overhead_gpu_ms[row, column]) for column, cause in enumerate(CAUSES)}
        for name in ("strikes", "asked_gpu_ms", "finished", "last_finish_ms"):
            found[name] = int(getattr(run, name)[row])
        owners[owner] = {name: value for name, value in found.items() if value}
    return {"run": int(run.replication), "failures": int(run.failures), "drawn": int(run.drawn), "owners": owners}


def logged(scenario: Scenario, number: int = 0) -> Columns:
    """Return the event log of a run."""
    _, log = simulate_with_log(sampled(scenario, number), number)
    return {name: column.tolist() for name, column in log.columns().items()}


def failures_by_hazard(log: Columns) -> dict[str, int]:
    """Return how often each hazard failed in a run, as its event log has it."""
    whys = [why for what, why in zip(log["what"], log["why"], strict=True) if what == "failure"]
    return {why: whys.count(why) for why in sorted(set(whys))}


def hashed_log(log: Columns) -> str:
    """Return a short hash of the rows of an event log, in whatever order they stand.

    Of time that is booked it is left out why: what was frozen named the hazard of repairs alone.
    """
    booked = [what in ("phase", "rollback") for what in log["what"]]
    columns = dict(log)
    for name, nothing in {"why": "", "where": -1, "kind": "", "failure": -1}.items():
        columns[name] = [nothing if left_out else value for left_out, value in zip(booked, log[name], strict=True)]
    rows = sorted(zip(*(columns[name] for name in sorted(columns)), strict=True), key=str)
    return hashed([[each if isinstance(each, str) else int(each) for each in row] for row in rows])


def hashed(found: Any) -> str:
    """Return a short hash of integers by name."""
    text = json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- files


def frozen_hashes() -> dict[str, tuple[str, ...]]:
    """Return name of a scenario -> hash of the integers of its runs, of run 0's failures by hazard, of its log."""
    rows = (line.split() for line in HASHES.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name: tuple(hashes) for name, *hashes in rows}


def frozen_shipped() -> dict[str, Integers]:
    """Return name of a shipped scenario -> ``runs``, the integers of each, and ``failures`` of run 0 by hazard."""
    found: dict[str, Integers] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return found


def differences(found: Any, expected: Any, path: str = "") -> list[str]:
    """Return one line for each number in which integers differ."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return [
            line
            for key in sorted({*found, *expected})
            for line in differences(found.get(key, 0), expected.get(key, 0), f"{path}.{key}" if path else key)
        ]
    return [] if found == expected else [f"{path}: {found}, frozen: {expected}"]
