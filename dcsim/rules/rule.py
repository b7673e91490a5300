"""What makes a function a rule, and how a rule asks Python."""

from collections.abc import Callable
from typing import Any, TypeVar

from dcsim.program.world import World

Function = TypeVar("Function", bound=Callable[..., Any])
RULES: dict[str, Callable[..., Any]] = {}
"""Name -> function of every rule that has been imported."""


def rule(function: Function) -> Function:
    """Mark a function as a rule: plain Python as it stands, and compiled by the compiled clock."""
    assert function.__name__ not in RULES
    RULES[function.__name__] = function
    return function


@rule
def wrapped(word: int) -> int:
    """Return a whole number as 64 bits with a sign; compiled rules know no others, so nothing is left of this there."""
    return (word + 2**63) % 2**64 - 2**63


@rule
def quotient(whole: int, part: int) -> int:
    """Return ``whole // part``, of numbers from 0 to 2^53: they are divided exactly, and in less time, as fractions."""
    return int(float(whole) / float(part))


@rule
def reset(w: World) -> None:
    """Set every table that a run changes to t = 0; the compiled clock copies them by itself."""
    w.reset()


@rule
def ask(w: World, what: int, about: int, value: int) -> int:
    """Let Python answer; the compiled clock has its own way to do so. Tables may lie elsewhere afterwards."""
    assert w.answer is not None
    return w.answer(what, about, value)
