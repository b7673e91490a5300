"""Programs that are simple: columns that keep one value in every run, so that their rules can be compiled for less.

Most of a rule asks what a simple scenario never has: places, ages, stages, a plant. Where every column below has its
value at t = 0, no rule gives it another one. Machine code that is compiled under this assumption checks it wherever it
writes to such a column (``dcsim.engine.compiled_world``).
"""

from typing import Any

from numpy.typing import NDArray

from dcsim.program.records import GROWING, INTERRUPT, NONE, PPB

COUNTED: dict[str, dict[str, int]] = {
    "one": dict.fromkeys(
        (
            *("atom", "rack", "clocks", "ages", "faulty", "slowed", "capped", "window", "last_window", "phases"),
            *("has_plant", "has_traffic", "has_storage", "logs", "sold", "last_notice", "preflights", "retests"),
            *("replicas", "excuses", "planned_out"),
        ),
        0,
    )
    | {"first_absence": NONE, "adds_up": 1},
    "jobs": {"chancy": 0, "needed": NONE, "first_legal": NONE, "tiers": 1, "limit": 0, "followed": 0},
    "tiers": {"drain": 0, "level_most": NONE},
    "hazards": dict.fromkeys(
        ("placed", "serves", "running", "remembers", "ages", "requalify", "burn_in", "returns_job", "lemons"), 0
    )
    | {"effect": INTERRUPT, "stages": 1, "plain": 1, "retire_after": NONE}
    | {"first_component": NONE, "first_slow": NONE, "checked": NONE},
    "crews": {"on_shift": 0, "visits": 0},
    "gangs": dict.fromkeys(("straggle", "powered", "network", "speed_0", "speed_1", "speed_2"), PPB)
    | dict.fromkeys(("first_segment", "first_faulty", "first_clean", "ends", "domain"), NONE)
    | dict.fromkeys(("excused", "held", "transfer", "writes", "draining", "extra", "computed_from"), 0)
    | dict.fromkeys(("not_before", "struck_before"), 0),
    "pieces": dict.fromkeys(("speed_0", "speed_1", "speed_2"), PPB),
    "outcomes": {"wrong": 0},
    "failures": {"placed": 0, "retired": 0, "wrong": 0, "gang": NONE, "clean": NONE, "component": NONE},
    "repairs": {"placed": 0, "mends": 1, "again": 0},
}
"""Of scenarios that counts settle: table -> column -> its value. Failures strike slots and are interruptions, repairs
have one stage, gangs run whole and without an end,
and have one kind of checkpoint, which is safe once it is written."""


def is_counted(tables: dict[str, NDArray[Any]]) -> bool:
    """Whether every column of ``COUNTED`` has its value in tables at t = 0."""
    return all(
        bool((tables[table][column] == value).all())
        for table, columns in COUNTED.items()
        for column, value in columns.items()
        if table not in GROWING
    )
