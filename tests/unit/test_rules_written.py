"""How rules are written: annotated, without recursion, each thing in one place."""

import ast
import inspect
from typing import get_args, get_type_hints

import numpy as np
import pytest

from dcsim.engine.compiled_rules import INLINED, SELDOM, SPECIAL, called_by, in_order, modules, reached
from dcsim.plant.tables import PlantTables
from dcsim.program.records import NAMES, TABLES
from dcsim.program.world import World
from dcsim.rules import happenings
from dcsim.rules.rule import RULES

assert happenings  # it imports every rule
KINDS = {World, PlantTables, int, float, bool, type(None)}
TREES = {module.__name__: ast.parse(inspect.getsource(module)) for module in modules()}
FUNCTIONS = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def written(table: str) -> set[str]:
    """Names of the rules that assign to a place of a table."""
    found = set()
    for function in FUNCTIONS:
        for node in ast.walk(function):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets if isinstance(node, ast.Assign | ast.AugAssign) else []:
                if isinstance(target, ast.Subscript) and ast.unparse(target.value) == f"w.{table}":
                    found.add(function.name)
    return found


def test_every_function_is_a_rule():
    """A function that is not marked would stay Python in the compiled clock; ``ziggurat`` returns constants."""
    assert {function.name for function in FUNCTIONS} - set(RULES) == {"rule", "ziggurat"}


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_has_types_that_are_compiled(name):
    """World, whole numbers, fractions and truth; several results are whole numbers."""
    hints = get_type_hints(RULES[name])
    result = hints.pop("return")
    assert set(hints.values()) | set(get_args(result) or {result}) <= KINDS
    assert len(hints) == len(inspect.signature(RULES[name]).parameters)
    assert RULES[name].__doc__


def test_no_rule_calls_itself():
    """The order in which rules are compiled exists; a rule comes after those that it calls."""
    order = in_order(RULES)
    assert len(order) == len(RULES) - len(SPECIAL)
    for place, name in enumerate(order):
        assert set(called_by(RULES[name])) - set(SPECIAL) <= set(order[:place])


def test_what_the_clock_never_calls_is_not_compiled():
    """Moving GPUs by hand is what a process of SimPy's clock does."""
    left_out = set(RULES) - set(reached())
    by_hand = {"move_free", "may_swap", "moves_with_place", "relink", "repair_at", "swap_components"}
    assert left_out == by_hand | {"begin_shares"}  # which Python calls at t = 0
    assert {"happen", "settles", "ask"} <= set(reached())
    assert set(reached()) >= INLINED | SELDOM
    assert not INLINED & SELDOM


def test_one_rule_writes_the_ledger_and_one_the_owners():
    """Whatever books time or moves a GPU passes a few functions of one module, or one function."""
    assert written("booked") == {"enter"}
    callers = {name for name in RULES if {"enter", "enter_now"} & set(called_by(RULES[name]))}
    assert callers == {"enter_now", "book", "book_writes", "book_computed", "book_lost", "book_added", "add_stretch"}
    assert written("by_month") == {"book_earlier", "cut_stretch", "book_earlier_positions", "close_month"}
    assert written("this_month") == {*("enter_now", "book_earlier", "cut_stretch", "book_positions", "close_month")}
    assert written("owner") == {"set_owner"}
    assert written("ledger") == {"close_gang", "close_owner", "close_run"}


def test_a_world_knows_where_its_tables_lie():
    """Address, rows and columns of a table that is put in another's place."""
    world = World()
    for table in (np.zeros((3, 2), dtype=np.int64), np.zeros((5, 2), dtype=np.int64)):
        world.put("holes", table)
        place = 3 * NAMES.index("holes")
        assert world.addresses[place : place + 3].tolist() == [table.ctypes.data, len(table), 2]
        assert world.tables["holes"] is table
    with pytest.raises(AssertionError):
        world.put("holes", np.zeros(3, dtype=TABLES["holes"][0]))
