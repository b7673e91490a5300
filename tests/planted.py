"""Errors planted in the rules, to see whether tests notice: plain Python rules, of which some are replaced."""

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.engine.compiled_rules import modules
from dcsim.rules.rule import RULES

Rule = Callable[..., Any]


def plant(monkeypatch: pytest.MonkeyPatch, **wrong: Callable[[Rule], Rule]) -> None:
    """Replace rules wherever they are called. ``wrong``: name of a rule -> what makes a wrong one from the honest one.

    The rules run as plain Python then, as without numba.
    """
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    for name, make in wrong.items():
        honest = RULES[name]
        replacement = make(honest)
        found = [module for module in modules() if vars(module).get(name) is honest]
        assert found, name
        for module in found:
            monkeypatch.setattr(module, name, replacement)
