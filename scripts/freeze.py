"""Writes the frozen integers in tests/golden/frozen/ (run by scripts/freeze)."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dcsim.scenario import Scenario, to_toml  # noqa: E402
from tests.golden import frozen  # noqa: E402

HEADER = """\
# Written by scripts/freeze. No change of the program may change a line; see tests/golden/frozen.py.
# scenario, hash of the integers of runs 0-3, of run 0's failures by hazard, of run 0's event log
"""
MOST_S = 0.3
"""Longest time of one run of a random scenario that is kept [s]."""


def draw(kind: str) -> None:
    """Draw the random scenarios of one kind, once."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.property.counted_scenarios import counted_scenarios
    from tests.property.full_scenarios import full_scenarios
    from tests.property.plant_scenarios import plant_scenarios
    from tests.property.storage_scenarios import storage_scenarios

    if frozen.kept(kind).exists():
        sys.exit(f"scripts/freeze: {frozen.kept(kind)} is there; what is frozen is never drawn again")
    kinds = {"counted": counted_scenarios, "full": full_scenarios, "plant": plant_scenarios}
    strategy = (kinds | {"storage": storage_scenarios})[kind]()
    found: dict[str, Scenario] = {}

    @seed(frozen.SEED)
    @settings(
        max_examples=frozen.COUNT * 3 // 2,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(scenario: Scenario) -> None:
        text = scenario.model_dump_json()
        if len(found) == frozen.COUNT or text in found:
            return
        begun = time.perf_counter()
        frozen.accounts(scenario, [0])
        if time.perf_counter() - begun <= MOST_S:
            found[text] = scenario

    collect()
    frozen.write_scenarios(kind, list(found.values()))
    print(f"{kind}: {len(found)} scenarios, {frozen.kept(kind).stat().st_size} bytes")


def integers_of(scenario: Scenario) -> dict[str, Any]:
    """Return the integers of a scenario's runs, and its failures by hazard."""
    runs = [frozen.integers(run) for run in frozen.accounts(scenario)]
    log = frozen.logged(scenario)
    return {"runs": runs, "failures": frozen.failures_by_hazard(log), "log": frozen.hashed_log(log)}


def freeze(check: bool) -> int:
    """Compute all integers, say what differs, and write them unless ``check``; return how many scenarios differ."""
    before = frozen.frozen_hashes() if frozen.HASHES.exists() else {}
    known = frozen.frozen_shipped() if frozen.SHIPPED.exists() else {}
    lines, shipped, differing = [], {}, 0
    for name, scenario in frozen.all_scenarios():
        found = integers_of(scenario)
        hashes = frozen.hashed(found["runs"]), frozen.hashed(found["failures"]), found.pop("log")
        lines.append(f"{name} {' '.join(hashes)}\n")
        short = name.removeprefix("shipped/")
        if short != name:
            shipped[short] = found
        if name in before and before[name] != hashes:
            differing += 1
            print(f"{name}: differs")
            if short in known and short != name:
                pairs = zip(found["runs"], known[short]["runs"], strict=True)
                told = [f"run {new['run']}: {line}" for new, old in pairs for line in frozen.differences(new, old)]
                told += frozen.differences(found["failures"], known[short]["failures"], "failures by hazard")
                print("\n".join(f"  {line}" for line in told))
    gone = sorted(set(before) - {line.split()[0] for line in lines})
    print("".join(f"{name}: is gone\n" for name in gone), end="")
    print(f"{len(lines)} scenarios, {differing} differ, {len(lines) + len(gone) - len(before)} are new")
    if not check:
        frozen.HASHES.write_text(HEADER + "".join(lines), encoding="utf-8")
        rows = [f"{json.dumps(name)}: {json.dumps(each, separators=(',', ':'))}" for name, each in shipped.items()]
        frozen.SHIPPED.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    return differing + len(gone)


def show(wanted: str) -> None:
    """Print a scenario as a file, then its integers."""
    for name, scenario in frozen.all_scenarios():
        if name == wanted:
            print(to_toml(scenario))
            print(json.dumps(integers_of(scenario), indent=1))
            return
    sys.exit(
        f"scripts/freeze: found {wanted!r}; allowed: shipped/NAME, {', '.join(f'{k}/NUMBER' for k in frozen.KINDS)}"
    )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(prog="scripts/freeze", description=__doc__)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--check", action="store_true", help="write nothing; exit 1 if an integer differs")
    ways.add_argument("--show", metavar="NAME", help="print a scenario and its integers")
    ways.add_argument("--draw", metavar="KIND", choices=frozen.KINDS, help="draw the random scenarios of a kind, once")
    arguments = parser.parse_args()
    if arguments.draw:
        draw(arguments.draw)
    elif arguments.show:
        show(arguments.show)
    elif freeze(arguments.check) and arguments.check:
        sys.exit(1)


if __name__ == "__main__":
    main()
