"""Goodput and cost of GPU clusters that fail: closed forms and discrete-event simulation, side by side.

    import dcsim

    gold = dcsim.load("scenarios/pretrain-5184/gold.toml")
    print(dcsim.estimate(gold))
    print(dcsim.run(gold, replications=16))

Importing dcsim costs nothing: each name loads the room it lives in when it is first asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.decide import compare, explain, run
    from dcsim.decide.estimate import estimate
    from dcsim.scenario import load

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "estimate", "explain", "load", "run"]

_ROOM = {
    "load": "dcsim.scenario",
    "estimate": "dcsim.decide",
    "run": "dcsim.decide",
    "compare": "dcsim.decide",
    "explain": "dcsim.decide",
}


def __getattr__(name: str) -> object:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOM[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
