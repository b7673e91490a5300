"""Faults in functions of ``dcsim/rules``, tried quickly: the tests are collected once, and a fork plants each fault.

First all tests run without a fault, with a mark before each statement of a rule. A test that never comes to the
statement with the fault cannot notice it. Those that do run, the quickest first, until one fails.
"""

import ast
import importlib
import os
import pickle
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

from tests.mutants.draw import Fault, files

FOLDER = "dcsim/rules"
LEAST, TIMES = 5.0, 4.0
"""Time of the processor that a test has: so many seconds, and so many times what it takes without a fault.

A run that is compared with the reference has the first alone."""
MEMORY = 4 << 30
"""Address space of a fork [bytes]: an endless loop may fill a list."""
OUT_OF_TIME = -int(signal.SIGVTALRM)
Found = Callable[[Fault, str, str], None]
Compare = Callable[..., list[str]]


def is_of_a_rule(fault: Fault) -> bool:
    """Tell whether a fault lies in a function of the rules."""
    return fault.file.startswith(f"{FOLDER}/") and bool(fault.function)


class Case(NamedTuple):
    """A drawn run that a test compares with the reference, what the reference says, and the statements it comes to."""

    scenario: Any
    replication: int
    expected: Any
    reached: int


@dataclass
class Honest:
    """What a test does without a fault: its time of the processor [s], and the statements it comes to, as bits.

    Of a test that compares drawn runs with the reference, the runs: they are compared again, not drawn again.
    """

    passed: bool
    cpu: float
    reached: int
    cases: list[Case]


class Marks:
    """Which statements of the rules have been reached: a bit each."""

    def __init__(self) -> None:
        self.bits: dict[tuple[str, int], int] = {}
        self.seen: set[int] = set()

    def taken(self) -> int:
        """Return what was reached since this was asked before."""
        found = sum(1 << bit for bit in self.seen)
        self.seen.clear()
        return found

    def add(self, reached: int) -> None:
        """Count these as reached, too."""
        self.seen |= {bit for bit in range(reached.bit_length()) if reached >> bit & 1}


@dataclass
class Judge:
    """A plugin of pytest that tries faults in place of a run; ``failed``: tests that fail without a fault."""

    root: Path
    faults: Sequence[Fault]
    tests_of: Callable[[Fault], Sequence[str]]
    found: Found
    bits: dict[tuple[str, int], int] = field(default_factory=dict)
    honest: dict[str, Honest] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    passed_alone: set[str] = field(default_factory=set)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests without a fault, then try each fault."""
        with TemporaryDirectory(prefix="dcsim-faults-") as scratch:
            said = Path(scratch) / "said"
            in_a_fork(lambda: said.write_bytes(pickle.dumps(self._walk(session.items))))
            if said.exists():
                self.bits, self.honest = pickle.loads(said.read_bytes())
            each = [item.nodeid for item in session.items]
            self.failed = [name for name in each if name not in self.honest or not self.honest[name].passed]
            if self.failed:
                return True
            for fault in self.faults:
                outcome, test = self._judge(session.items, fault, said)
                if not outcome:
                    self.failed = [test]
                    break
                self.found(fault, outcome, test)
        return True

    def _walk(self, items: Iterable[pytest.Item]) -> tuple[dict[tuple[str, int], int], dict[str, Honest]]:
        """Run tests over marked rules: the number of each statement, and what each test does."""
        marks = Marks()
        for file in files(self.root, FOLDER):
            mark(self.root, file, marks)
        cases: list[Case] = []
        for module in {id(item.module): item.module for item in items}.values():
            if "compare" in vars(module):
                vars(module)["compare"] = keeping(vars(module)["compare"], cases, marks)
        told = {}
        for item, following in in_turn(items):
            cases.clear()
            marks.taken()
            begin = time.process_time()
            passed = not fails(item, following)
            cpu, reached = time.process_time() - begin, marks.taken()
            for case in cases:
                reached |= case.reached
            drawn = cases if getattr(item.obj, "is_hypothesis_test", False) else []
            told[item.nodeid] = Honest(passed, cpu, reached, list(drawn))
        return marks.bits, told

    def _judge(self, items: Iterable[pytest.Item], fault: Fault, said: Path) -> tuple[str, str]:
        """Return the outcome of a fault and the test that noticed it; no outcome if that fails without the fault.

        Where tests share a fixture only the first comes to its statements; the others of its file run last.
        """
        source = (self.root / fault.file).read_bytes()
        bit = 1 << self.bits[fault.file, statement(source, fault.line)]
        room = {self.root / test for test in self.tests_of(fault)}
        there = [item for item in items if item.path in room and self.honest[item.nodeid].reached & bit]
        if not there:
            return "SURVIVED", "no test comes there"
        beside = [item for item in items if item not in there and item.path in {each.path for each in there}]
        able = [*sorted(there, key=self._time), *sorted(beside, key=self._time)]
        code = compile(fault.text(source), str(self.root / fault.file), "exec", dont_inherit=True)
        said.write_text("")
        status = in_a_fork(lambda: plant(fault.file, code, fault.function), lambda: self._until(able, bit, said))
        test = said.read_text()
        assert test, f"{fault}: could not be planted"
        if not status:
            return "SURVIVED", f"{len(there)} tests come there"
        if status == OUT_OF_TIME:
            return "time", test
        if test not in self.passed_alone:
            if in_a_fork(lambda: self._until([item for item in able if item.nodeid == test], bit, said)):
                return "", test
            self.passed_alone.add(test)
        return "caught", test

    def _time(self, item: pytest.Item) -> float:
        honest = self.honest[item.nodeid]
        return honest.cpu / max(1, len(honest.cases))  # the first run that differs is enough

    def _until(self, items: Iterable[pytest.Item], bit: int, said: Path) -> None:
        """Run tests until one fails, and leave with 1 then; its name is in ``said``."""
        for item, following in in_turn(items):
            said.write_text(item.nodeid)
            honest = self.honest[item.nodeid]
            signal.setitimer(signal.ITIMER_VIRTUAL, LEAST + TIMES * honest.cpu)
            cases = [case for case in honest.cases if case.reached & bit]
            if differ(cases) if honest.cases else fails(item, following):
                os._exit(1)


def keeping(compare: Compare, cases: list[Case], marks: Marks) -> Compare:
    """Return a ``compare`` that keeps each run it compares, with the statements that this comes to."""
    from tests.property import reference

    def kept(scenario: Any, replication: int) -> list[str]:
        expected = reference.simulate(scenario, replication).verified(scenario.capacity_gpu_ms)
        before = marks.taken()
        found = compare(scenario, replication, expected)
        cases.append(Case(scenario, replication, expected, marks.taken()))
        marks.add(before)
        return found

    return kept


def differ(cases: Iterable[Case]) -> bool:
    """Tell whether one of these runs is not what the reference says."""
    from tests.property.test_engine_equals_reference import compare

    try:
        for each in cases:
            signal.setitimer(signal.ITIMER_VIRTUAL, LEAST)
            if compare(each.scenario, each.replication, each.expected):
                return True
    except Exception:  # whatever a fault does
        return True
    return False


def in_turn(items: Iterable[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    """Return each test and the one that follows."""
    listed = list(items)
    return zip(listed, [*listed[1:], None], strict=True)


def fails(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Run a test, and tell whether it failed or could not be set up."""
    from _pytest.runner import runtestprotocol

    return any(report.failed for report in runtestprotocol(item, nextitem=following, log=False))


def in_a_fork(*parts: Callable[[], object]) -> int:
    """Do something in a copy of this process, which prints nothing: 0, or how the copy ended."""
    process = os.fork()
    if process == 0:
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            for part in parts:
                part()
        except BaseException:  # whatever it is, the copy must not go on as the caller
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def module_of(file: str) -> ModuleType:
    """Import the module of a file."""
    return importlib.import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def plant(file: str, code: CodeType, function: str) -> None:
    """Give one function of a module the body that it has in ``code``, wherever it was imported."""
    [body] = [each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == function]
    honest = vars(module_of(file))[function]
    assert honest.__code__ != body, f"{file}: the fault is not in the body of {function}"
    honest.__code__ = body


def mark(root: Path, file: str, marks: Marks) -> None:
    """Let each statement of a module's functions say first that it is reached."""
    tree, module = ast.parse((root / file).read_bytes()), module_of(file)
    vars(module)["reached_"] = marks.seen.add
    for block in list(blocks(tree)):
        marked: list[ast.stmt] = []
        for each in block:
            bit = marks.bits.setdefault((file, each.lineno), len(marks.bits))
            marked += [*ast.parse(f"reached_({bit})").body, each]
        block[:] = marked
    code = compile(ast.fix_missing_locations(tree), str(root / file), "exec", dont_inherit=True)
    for each in code.co_consts:
        if isinstance(each, CodeType) and isinstance(vars(module).get(each.co_name), FunctionType):
            vars(module)[each.co_name].__code__ = each


def blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Return the blocks of statements of a module's functions, each once."""
    for function in ast.iter_child_nodes(tree):
        if isinstance(function, ast.FunctionDef):
            for inner in ast.walk(function):
                for name in ("body", "orelse", "finalbody"):
                    block = getattr(inner, name, None)
                    if isinstance(block, list):
                        yield block


def statement(source: bytes, line: int) -> int:
    """Return the first line of the innermost statement of a function that has ``line``."""
    every = [each for block in blocks(ast.parse(source)) for each in block]
    return max(each.lineno for each in every if each.lineno <= line <= (each.end_lineno or each.lineno))


def tried(root: Path, faults: Sequence[Fault], tests_of: Callable[[Fault], Sequence[str]], found: Found) -> None:
    """Try faults of rules and tell ``found`` of each; SystemExit if the tests do not pass without one."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # the same text as plain Python, which has not to be compiled
    judge = Judge(root, faults, tests_of, found)
    options = ["-qq", "-s", "-n", "0", "-p", "no:cacheprovider", "--no-header", "--hypothesis-profile=judge"]
    tests = dict.fromkeys(test for fault in faults for test in tests_of(fault))
    pytest.main([*options, "--rootdir", str(root), *(str(root / test) for test in tests)], plugins=[judge])
    if judge.failed or not judge.honest:
        raise SystemExit("\n  ".join(["without a fault these tests do not pass:", *judge.failed]))
