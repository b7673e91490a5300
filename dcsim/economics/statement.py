"""A statement of money month by month: lines whose formulas are texts, evaluated for all runs at once.

A rule of money is written once, as the text of a ``Line``. The same text is computed here, is shown to a reader as
where a dollar comes from, and becomes the formula of a spreadsheet's cells (``excel``). A formula has numbers, names of
inputs, series and other lines, ``+ - * / **``, comparisons, ``and``, ``or``, ``a if c else b``, ``min``, ``max``,
``floor``, ``prev(x)``, which is x in the month before and 0 before month 0, and the names ``month`` (0, 1, .. m) and
``months`` (m). Month 0 is the closing: it has no hours.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from graphlib import CycleError, TopologicalSorter
from types import CodeType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Fold = Literal["sum", "last", "none"]
Party = Literal["renter", "owner", "lender", "token seller"]

MONTH, MONTHS = "month", "months"
OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "^",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "=",
    ast.NotEq: "<>",
}
"""What a formula may compute and compare with, as a spreadsheet writes it."""


class StatementError(ValueError):
    """A formula that cannot be read, a name that is not there, or lines that need one another."""


@dataclass(frozen=True)
class Line:
    """A row of a statement: ``formula`` gives its value [``unit``] in every month, of every run.

    ``name`` is its key in formulas and in JSON, ``label`` what people read, ``party`` whose money it is. ``fold``: what
    stands for the whole term, the sum of its months, the last one, or nothing. ``source``: where the rule is from.
    """

    name: str
    label: str
    unit: str
    formula: str
    party: Party = "owner"
    fold: Fold = "sum"
    source: str = ""

    @property
    def needs(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names that its formula reads in the same month, and those of the month before."""
        return _names(self.formula)


@dataclass(frozen=True, eq=False)
class Input:
    """A number that formulas name: ``value`` [``unit``], or one for each run, float64 (n,).

    ``path``: its key in the scenario, such as "owner.rent", or what it is computed from. ``source``: who says so.
    """

    name: str
    value: "float | Values"
    unit: str
    path: str
    source: str = ""


@dataclass(frozen=True, eq=False)
class Statement:
    """Lines evaluated: ``values`` by name of series and lines, float64 (n runs, m + 1 months), month 0 the closing.

    Raises StatementError for a formula that cannot be read, an unknown name, a name twice, or lines in a circle.
    """

    lines: tuple[Line, ...]
    inputs: Mapping[str, Input]
    series: Mapping[str, Values]
    values: Mapping[str, Values]

    @classmethod
    def of(cls, lines: Sequence[Line], inputs: Sequence[Input], series: Mapping[str, Values]) -> Self:
        """Evaluate lines in the order in which they need one another.

        ``series``: what a simulation says of each month, float64 (n, m + 1), all of one shape; at least one.
        """
        names = [*(line.name for line in lines), *(each.name for each in inputs), *series, MONTH, MONTHS]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise StatementError(f"defined twice: {', '.join(twice)}")
        shapes = {each.shape for each in series.values()}
        if len(shapes) != 1:
            raise StatementError(f"the series are of {len(shapes)} shapes; all need one")
        ((runs, columns),) = shapes
        values: dict[str, Values] = {name: np.asarray(each, dtype=np.float64) for name, each in series.items()}
        known: dict[str, float | Values] = {each.name: each.value for each in inputs}
        known[MONTHS] = float(columns - 1)
        order, by_month = _in_order(lines, set(names), {*series, *(line.name for line in lines)})
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for line in order:  # what depends on no month before is evaluated for all months at once
                if line.name not in by_month:
                    space: dict[str, Any] = {name: _by_run(each) for name, each in known.items()}
                    space |= values | {MONTH: np.arange(columns, dtype=np.float64)}
                    found = eval(_compiled(line.formula), {"__builtins__": {}}, _FUNCTIONS | space)
                    values[line.name] = np.broadcast_to(np.asarray(found, dtype=np.float64), (runs, columns))
            rest = [line for line in order if line.name in by_month]
            for line in rest:
                values[line.name] = np.zeros((runs, columns))
            for column in range(columns if rest else 0):
                space = dict(known) | {name: each[:, column] for name, each in values.items()}
                before = column - 1
                space |= {f"_prev_{name}": each[:, before] if column else 0.0 for name, each in values.items()}
                space[MONTH] = float(column)
                for line in rest:
                    values[line.name][:, column] = eval(
                        _compiled(line.formula), {"__builtins__": {}}, _FUNCTIONS | space
                    )
                    space[line.name] = values[line.name][:, column]
        return cls(tuple(lines), {each.name: each for each in inputs}, dict(series), values)

    @property
    def months(self) -> int:
        """Months behind the closing."""
        return int(next(iter(self.series.values())).shape[1]) - 1

    @cached_property
    def by_name(self) -> Mapping[str, Line]:
        """The lines by their names."""
        return {line.name: line for line in self.lines}

    def total(self, name: str) -> Values:
        """Return what stands for the whole term of a line or series, by run, float64 (n,): as its ``fold`` says."""
        line, values = self.by_name.get(name), self.values[name]
        if line is not None and line.fold == "last":
            return values[:, -1]
        if line is not None and line.fold == "none":
            raise StatementError(f"{name}: nothing stands for its whole term")
        return np.asarray(reduce(np.add, values.T))

    def changed(self, **inputs: "float | Values") -> Self:
        """Return the statement with other values of some inputs; raises StatementError for a name that is not one."""
        if unknown := sorted(set(inputs) - set(self.inputs)):
            raise StatementError(f"no inputs: {', '.join(unknown)}")
        moved = [
            Input(each.name, inputs.get(each.name, each.value), each.unit, each.path, each.source)
            for each in self.inputs.values()
        ]
        return self.of(self.lines, moved, self.series)

    def traced(self, name: str) -> Iterator[Line | Input]:
        """Yield the line of that name, and all lines and inputs that it is computed from, each once."""
        seen, waiting = set(), [name]
        while waiting:
            each = waiting.pop(0)
            if each in seen:
                continue
            seen.add(each)
            if each in self.by_name:
                line = self.by_name[each]
                yield line
                waiting += sorted(line.needs[0] | line.needs[1])
            elif each in self.inputs:
                yield self.inputs[each]


def excel(formula: str, cell: Callable[[str, bool], str]) -> str:
    """Return a formula as a spreadsheet writes it, without the equals sign.

    ``cell``: where a name stands, in this month, or if the second argument is true in the month before.
    """
    return _as_excel(_parsed(formula), cell)


def _as_excel(node: ast.expr, cell: Callable[[str, bool], str]) -> str:
    def each(*nodes: ast.expr) -> list[str]:
        return [_as_excel(one, cell) for one in nodes]

    match node:
        case ast.Constant(value=value):
            return repr(value)
        case ast.Name(id=name):
            return cell(name, False)
        case ast.UnaryOp(operand=operand):
            return f"(-{each(operand)[0]})"
        case ast.BinOp(left=left, op=op, right=right):
            a, b = each(left, right)
            return f"({a}{OPERATORS[type(op)]}{b})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            a, b = each(left, right)
            return f"({a}{OPERATORS[type(op)]}{b})"
        case ast.BoolOp(op=both, values=values):
            return f"{'AND' if isinstance(both, ast.And) else 'OR'}({','.join(each(*values))})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"IF({','.join(each(test, body, orelse))})"
        case ast.Call(func=ast.Name(id="prev"), args=[ast.Name(id=name)]):
            return cell(name, True)
        case ast.Call(func=ast.Name(id="floor"), args=[operand]):
            return f"INT({_as_excel(operand, cell)})"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{name.upper()}({','.join(each(*args))})"
    raise AssertionError(ast.dump(node))  # ``_parsed`` lets nothing else in


def _by_run(value: "float | Values") -> "float | Values":
    """Return an input so that it meets every month of its run."""
    return value[:, None] if isinstance(value, np.ndarray) else value


def _in_order(lines: Sequence[Line], known: set[str], monthly: set[str]) -> tuple[list[Line], set[str]]:
    """Return lines so that each comes after what it needs, and the names of those that need a month before.

    ``known``: all names; ``monthly``: those that have a month before.
    """
    by_name = {line.name: line for line in lines}
    for line in lines:
        now, before = line.needs
        if unknown := sorted((now - known) | (before - monthly)):
            raise StatementError(
                f"{line.name}: no input, series or line (before: no series or line) is called {', '.join(unknown)}"
            )
    try:
        order = list(TopologicalSorter({line.name: line.needs[0] & set(by_name) for line in lines}).static_order())
    except CycleError as error:
        raise StatementError(f"these lines need one another: {', '.join(error.args[1])}") from None
    by_month: set[str] = set()
    for name in order:
        now, before = by_name[name].needs
        if before or now & by_month:
            by_month.add(name)
    return [by_name[name] for name in order], by_month


@cache
def _parsed(formula: str) -> ast.expr:
    """Return the tree of a formula; raises StatementError for what a formula may not have."""
    try:
        tree = ast.parse(formula.strip(), mode="eval").body
    except SyntaxError as error:
        raise StatementError(f"{formula!r}: {error.msg}") from None
    _allow(tree, formula)
    return tree


def _allow(node: ast.expr, formula: str) -> None:
    match node:
        case ast.Constant(value=float() | int()) if not isinstance(node.value, bool):
            inner: list[ast.expr] = []
        case ast.Name(id=name) if not name.startswith("_"):
            inner = []
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            inner = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            inner = [left, right]
        case ast.BoolOp(values=values):
            inner = values
        case ast.IfExp(test=test, body=body, orelse=orelse):
            inner = [test, body, orelse]
        case ast.Call(func=ast.Name(id="prev"), args=[ast.Name()], keywords=[]):
            inner = []
        case ast.Call(func=ast.Name(id="min" | "max"), args=args, keywords=[]) if len(args) > 1:
            inner = args
        case ast.Call(func=ast.Name(id="floor"), args=[operand], keywords=[]):
            inner = [operand]
        case _:
            raise StatementError(f"{formula!r}: a formula cannot have {ast.unparse(node)!r}")
    for each in inner:
        _allow(each, formula)


@cache
def _names(formula: str) -> tuple[frozenset[str], frozenset[str]]:
    now, before = set(), set()

    def visit(node: ast.AST) -> None:
        match node:
            case ast.Call(func=ast.Name(id="prev"), args=[ast.Name(id=name)]):
                before.add(name)
            case ast.Call(args=args):
                for each in args:
                    visit(each)
            case ast.Name(id=name):
                now.add(name)
            case _:
                for child in ast.iter_child_nodes(node):
                    visit(child)

    visit(_parsed(formula))
    return frozenset(now), frozenset(before)


class _Arrays(ast.NodeTransformer):
    """Puts functions on arrays in the place of what Python has for single numbers."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return _call("_where", *(self.visit(each) for each in (node.test, node.body, node.orelse)))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        return _call("_and" if isinstance(node.op, ast.And) else "_or", *(self.visit(each) for each in node.values))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        if node.func.id == "prev":
            (name,) = node.args
            assert isinstance(name, ast.Name)
            return ast.Name(f"_prev_{name.id}", ast.Load())
        return _call(f"_{node.func.id}", *(self.visit(each) for each in node.args))


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


@cache
def _compiled(formula: str) -> CodeType:
    tree = ast.parse(formula.strip(), mode="eval")  # a new one: the transformer changes it
    _parsed(formula)
    return compile(ast.fix_missing_locations(_Arrays().visit(tree)), formula, "eval")


_FUNCTIONS: dict[str, Any] = {
    "_where": np.where,
    "_and": lambda *each: reduce(np.logical_and, each),
    "_or": lambda *each: reduce(np.logical_or, each),
    "_floor": np.floor,
    "_min": lambda *each: reduce(np.minimum, each),
    "_max": lambda *each: reduce(np.maximum, each),
}
