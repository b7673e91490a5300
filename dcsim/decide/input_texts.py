"""How the values of an input of several scenarios are written, durations in one unit."""

from collections.abc import Iterator, Sequence
from typing import Any

from dcsim.hazards import Lifetime
from dcsim.hazards.repair import RepairStage, mean_time_ms, stages_of
from dcsim.units import MS_PER_H, MS_PER_MIN, MS_PER_MONTH, MS_PER_S, WORK
from dcsim.wording import printable

ABSENT, FROM_TOPOLOGY = "none", "from the topology"
"""What stands for a key that is left out; for a blast that is."""


def as_texts(key: str, values: Sequence[Any], written: Sequence[Any]) -> tuple[str, ...]:
    """Write the values of one key, as the models and as JSON hold them; those that read alike are told apart."""
    durations = all(
        isinstance(value, int) and isinstance(text, str) and not text.endswith(tuple(WORK.units))
        for value, text in zip(values, written, strict=True)
    )
    if durations:
        return tuple(_durations(values, months=key == "horizon"))
    if key == "seed":
        return tuple(map(str, values))
    nothing = FROM_TOPOLOGY if key == "blast" else ABSENT
    texts = [
        nothing if shown is None else printable(_as_text(key, value, shown), 60)
        for value, shown in zip(values, written, strict=True)
    ]
    told = list(texts)
    for text in dict.fromkeys(texts):
        alike = [number for number, known in enumerate(texts) if known == text]
        if any(values[number] != values[alike[0]] for number in alike):
            apart = _told_apart([written[number] for number in alike])
            for number, each in zip(alike, apart, strict=True):
                other = each == apart[0] and values[number] != values[alike[0]]
                told[number] = f"{text} ({each}{', changed' if other else ''})"
    return tuple(told)


def _told_apart(written: Sequence[Any]) -> list[str]:
    """Write what differs between values that read alike: the keys that not all have, or not with the same value."""
    leaves = [dict(_leaves(each)) for each in written]
    paths = dict.fromkeys(path for each in leaves for path in each)
    differ = [path for path in paths if any(each.get(path) != leaves[0].get(path) for each in leaves)]
    found = []
    for each in leaves:
        has = [f"{_last(path)} {each[path]}" for path in differ if path in each]
        lacks = ", ".join(dict.fromkeys(_last(path) for path in differ))
        found.append(printable(", ".join(has) or f"without {lacks}", 60))
    return found


def _leaves(written: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the values inside a value of a scenario file, each with where it is."""
    if isinstance(written, dict | list | tuple):
        for key, value in written.items() if isinstance(written, dict) else enumerate(written):
            yield from () if value is None else _leaves(value, (*path, key))
    else:
        yield path, compact(written)


def _last(path: tuple[str | int, ...]) -> str:
    return next((key for key in reversed(path) if isinstance(key, str)), "value")


def _as_text(key: str, value: Any, written: Any) -> str:
    """Write one value: of a lifetime kind and mean, of stages of repair their number and mean time in all."""
    if key == "mtbf" and isinstance(value, Lifetime):
        return f"{written['kind']}, mean {_duration(round(value.mean_ms), in_hours=True)}"
    if key == "repair" and isinstance(value, RepairStage | tuple):
        stages = stages_of(value)
        several = f"{len(stages)} stages" if len(stages) > 1 else "one stage"
        return f"{several}, {_duration(round(mean_time_ms(stages)), in_hours=True)} on average"
    if isinstance(value, int) and isinstance(written, str) and key in ("mtbf", "detect", "repair"):
        return _duration(value, in_hours=True)
    return compact(written)


def _durations(values: Sequence[int], months: bool) -> list[str]:
    """Write durations [ms]: months of a horizon, whole hours or whole minutes of all, else each in its own unit."""
    if months and not any(value % MS_PER_MONTH for value in values):
        return [f"{value // MS_PER_MONTH:,} mo" for value in values]
    if not any(value % MS_PER_H for value in values) and max(values) > MS_PER_H:
        return [f"{value // MS_PER_H:,} h" for value in values]
    return [_duration(value, in_hours=max(values) > 2 * MS_PER_H) for value in values]


def _duration(value: int, in_hours: bool) -> str:
    """Write a duration [ms] in hours from two hours on, else in minutes or seconds; two decimals where exact."""
    for unit, name, least in ((MS_PER_H, "h", 2), (MS_PER_MIN, "min", 1), (MS_PER_S, "s", 0)):
        if value >= least * unit and (in_hours or name != "h") and not value * 100 % unit:
            return f"{value / unit:,.2f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{value / MS_PER_H:,.4g} h" if value > 2 * MS_PER_H else f"{value / MS_PER_S:,.3f} s"


def compact(written: Any) -> str:
    """Write a value of a scenario file on one line, without what it leaves out."""
    if written is None or written == [] or written == ():
        return ABSENT
    if isinstance(written, bool):
        return "yes" if written else "no"
    if isinstance(written, int | float):
        return f"{written:,}" if isinstance(written, int) else f"{written:,.6g}"
    if isinstance(written, list | tuple):
        return f"{compact(written[0])}" + (f" and {len(written) - 1} more" if written[1:] else "")
    if isinstance(written, dict):
        if "node" in written and "name" in written:  # a topology
            return str(written["name"])
        parts = ((key, value) for key, value in written.items() if value is not None)
        return ", ".join(str(value) if key in ("kind", "name") else f"{key} {compact(value)}" for key, value in parts)
    return str(written)
