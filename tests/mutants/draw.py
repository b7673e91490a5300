"""Single faults in the program's text: where one operator, number, or ``min`` and ``max`` could be wrong."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
OTHERS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
COMMENT = re.compile(rb"#[^\n]*")


@dataclass(frozen=True, order=True)
class Fault:
    """One change of a file's bytes ``begin`` to ``end``; ``function`` is the innermost one around it, or empty."""

    file: str
    begin: int
    end: int
    old: str
    new: str
    line: int
    function: str

    def text(self, source: bytes) -> bytes:
        """Return the file with the fault."""
        return source[: self.begin] + self.new.encode() + source[self.end :]

    def changed_line(self, source: bytes) -> str:
        """Return the honest line, without its indent."""
        return source.decode().split("\n")[self.line - 1].strip()

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.old or 'nothing'} -> {self.new or 'nothing'}"


def faults_of(root: Path, file: str) -> list[Fault]:
    """Return every single fault of a file, in the order of its text."""
    source = (root / file).read_bytes()
    starts = [0]
    for line in source.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)

    def begin(node: ast.expr) -> int:
        return starts[node.lineno - 1] + node.col_offset

    def end(node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return starts[node.end_lineno - 1] + node.end_col_offset

    def fault(at: int, old: str, new: str, function: str) -> Fault:
        assert source[at : at + len(old)] == old.encode(), (file, at, old)
        return Fault(file, at, at + len(old), old, new, source.count(b"\n", 0, at) + 1, function)

    def between(left: int, right: int, operator: ast.AST, function: str) -> Iterator[Fault]:
        if type(operator) in OPERATORS:
            old, new = OPERATORS[type(operator)]
            gap = COMMENT.sub(lambda found: b" " * len(found[0]), source[left:right])
            yield fault(left + gap.index(old.encode()), old, new, function)

    def here(node: ast.AST, function: str) -> Iterator[Fault]:
        match node:
            case ast.BinOp(left, operator, right):
                yield from between(end(left), begin(right), operator, function)
            case ast.AugAssign(target, operator, value):
                yield from between(end(target), begin(value), operator, function)
            case ast.BoolOp(operator, values):
                for a, b in pairwise(values):
                    yield from between(end(a), begin(b), operator, function)
            case ast.Compare(left, operators, right):
                for a, operator, b in zip([left, *right[:-1]], operators, right, strict=True):
                    yield from between(end(a), begin(b), operator, function)
            case ast.UnaryOp(ast.Not(), _):
                yield fault(begin(node), "not", "", function)
            case ast.Constant(value) if type(value) in (int, float):
                old = source[begin(node) : end(node)].decode()
                new = {0: "1", 1: "0"}.get(value) or f"({old} + 1)"
                yield fault(begin(node), old, new, function)
            case ast.Call(ast.Name(name) | ast.Attribute(_, name) as called) if name in OTHERS:
                yield fault(end(called) - len(name), name, OTHERS[name], function)

    def walk(node: ast.AST, function: str) -> Iterator[Fault]:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.JoinedStr():  # texts in f-strings have no places of their own
                return
            case ast.If(ast.Compare(ast.Name("__name__"))):
                return
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                function = name
        yield from here(node, function)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from walk(child, function)

    return sorted({*walk(ast.parse(source), "")})


def files(root: Path, under: str) -> list[str]:
    """Return the modules of a folder, by name."""
    return sorted(str(path.relative_to(root)) for path in (root / under).rglob("*.py"))


def of_program(root: Path, count: int, seed: int) -> list[Fault]:
    """Draw ``count`` faults of the whole program; each place is as likely as any other."""
    every = [each for file in files(root, "dcsim") if file != "dcsim/__main__.py" for each in faults_of(root, file)]
    return Random(seed).sample(every, min(count, len(every)))


def of_rules(root: Path, count: int | None, seed: int) -> list[Fault]:
    """Draw one fault in each rule that has a place for one, or ``count``: of each rule first, then of any."""
    random = Random(seed)
    every = [each for file in files(root, "dcsim/rules") for each in faults_of(root, file) if each.function]
    random.shuffle(every)
    first = list({(each.file, each.function): each for each in reversed(every)}.values())
    random.shuffle(first)
    if count is None:
        return first
    chosen = {*first}
    return [*first, *(each for each in every if each not in chosen)][:count]
