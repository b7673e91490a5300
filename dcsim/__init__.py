"""Goodput and cost of GPU clusters that fail: closed forms and discrete-event simulation, side by side.

    import dcsim

    print(dcsim.estimate("pretrain-5184/gold"))
    print(dcsim.run("my.toml", replications=16, set=["cluster.spares=64"]))
    small = dcsim.scenario({"name": "small", "horizon": "1 mo", "cluster": {...}, "jobs": [...], "hazards": [...]})
    dcsim.compare([small, "my.toml"]).verdict

Importing dcsim costs nothing: each name loads the room it lives in when it is first asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim import scenario
    from dcsim.decide import compare, explain, run
    from dcsim.decide.breakeven import breakeven
    from dcsim.decide.estimate import estimate
    from dcsim.decide.optimize import optimize
    from dcsim.decide.sensitivity import sensitivity
    from dcsim.decide.sweep import sweep
    from dcsim.decide.tables import table
    from dcsim.decide.walk import diff
    from dcsim.scenario import load

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "breakeven",
    "compare",
    "diff",
    "estimate",
    "explain",
    "load",
    "optimize",
    "run",
    "scenario",
    "sensitivity",
    "sweep",
    "table",
]

_ROOM = {
    "load": "dcsim.scenario",
    "breakeven": "dcsim.decide.breakeven",
    "estimate": "dcsim.decide.estimate",
    "run": "dcsim.decide",
    "compare": "dcsim.decide",
    "diff": "dcsim.decide.walk",
    "explain": "dcsim.decide",
    "optimize": "dcsim.decide.optimize",
    "sensitivity": "dcsim.decide.sensitivity",
    "sweep": "dcsim.decide.sweep",
    "table": "dcsim.decide.tables",
}


def __getattr__(name: str) -> object:
    if name != "scenario" and name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "scenario":
        return import_module("dcsim.scenario")  # a room that is a function too
    found = getattr(import_module(_ROOM[name]), name)
    if name != "load":  # results know how a notebook shows them, and load the report only there
        import_module("dcsim.decide.display").HTML[:] = [lambda one: import_module("dcsim.report.notebook").html(one)]
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
