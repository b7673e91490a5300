"""The house rules that a machine can hold: who may import whom, what is loaded when, size and names."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "dcsim"

# Upwards: a room may import the rooms of earlier rows only; rooms of one row never import one another.
ROWS = (
    ("files", "hostlist", "parts", "shipped", "spelling", "wording"),
    ("problems", "textfile"),
    ("units",),
    ("streams",),
    ("registry",),
    ("distributions",),
    ("ledger",),
    ("records",),
    ("recovery", "hazards", "closed_form", "economics", "fabric", "power"),
    ("topology",),
    ("plant",),
    ("scenario",),
    ("calibrate",),
    ("program",),
    ("rules",),
    ("engine",),
    ("montecarlo",),
    ("decide",),
    ("report",),
    ("cli",),
)
ROW = {room: number for number, row in enumerate(ROWS) for room in row}
DOORS = {
    "__init__",
    "__main__",
}  # dcsim itself: its names are lazy, and `python -m dcsim` is the command line
HEAVY = {
    "networkx",
    "numba",
    "pyarrow",
    "scipy",
    "matplotlib",
    "rich",
    "ray",
}  # imported in the functions that use them
ONLY_IN = {"simpy": {"engine"}, "click": {"cli"}}
SIMPY = "simpy_clock"  # what the names of the modules that import simpy begin with
MOST_LINES, MOST_MODULES = 400, 317
KINDS = {("recovery",), ("hazards", "lifetimes")}  # families of plug-ins: one file each, as many as there are
OF_STRATEGIES = {"keys", "timetable", "presets"}  # what other rooms may import from recovery: no strategy by its name
BAD_MODULE = re.compile(r"(^|_)(utils?|helpers?|common|misc)($|_)")
BAD_CLASS = re.compile(r"Manager|^_?Base(?=[A-Z_]|$)|Utils?$|Helpers?$")


def imported(tree: ast.AST, package: list[str]) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Every import in a module of `package`, at any depth, as (node, absolute dotted name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*parents, *filter(None, [node.module])])
            yield from ((node, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and re.search(r"(import_module|__import__)$", ast.unparse(node.func)):
            match node.args:
                case [ast.Constant(value=str(name)), *_]:
                    yield node, name


def at_import_time(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: no function bodies, nothing under TYPE_CHECKING."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from at_import_time(other)
            continue
        yield from at_import_time(child)


def prints_or_exits(node: ast.AST) -> bool:
    """Whether a node is a call of print or exit, or raises SystemExit."""
    if isinstance(node, ast.Raise) and node.exc is not None:
        return "SystemExit" in ast.unparse(node.exc)
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "exit", "sys.exit", "os._exit"}


def violations(package: Path) -> list[str]:
    """Every breach of the rules in a package folder, as `path:line: what`."""
    modules = sorted(package.rglob("*.py"))
    found = []
    rooms = sum(
        path.name != "__init__.py" and path.relative_to(package).parent.parts not in KINDS for path in modules
    )  # an __init__ is a room's door, not a room
    if rooms >= MOST_MODULES:
        found.append(f"{package.name}: {rooms} modules, fewer than {MOST_MODULES} allowed")
    for path in modules:
        inside = path.relative_to(package).with_suffix("").parts
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        room = inside[0]
        dotted = [package.name, *inside[:-1]]

        def report(line: int, what: str, where: str = path.relative_to(package).as_posix()) -> None:
            found.append(f"{where}:{line}: {what}")

        if room not in ROW and room not in DOORS:
            report(1, f"room {room} has no row in the order")
        if (lines := len(source.splitlines())) > MOST_LINES:
            report(MOST_LINES, f"{lines} lines, at most {MOST_LINES} allowed")
        if any(BAD_MODULE.search(part) for part in inside):
            report(1, "a module is named after what it does, not utils, helpers or common")
        for number, line in enumerate(source.splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                report(number, "unfinished work")

        early = set(map(id, at_import_time(tree)))
        for node, name in imported(tree, dotted):
            top, *rest = name.split(".")
            if top in HEAVY and id(node) in early:
                report(node.lineno, f"{top} is loaded at import time")
            if room not in ONLY_IN.get(top, {room}):
                report(node.lineno, f"{top} belongs to {', '.join(ONLY_IN[top])}")
            elif top == "simpy" and not inside[-1].startswith(SIMPY):
                report(node.lineno, f"simpy belongs to engine/{SIMPY}*")
            if top != package.name or room in DOORS or not rest or rest[0] in {room, "__version__"}:
                continue
            if rest[0] not in ROW:
                report(node.lineno, f"{name}: import from the room that owns it")
            elif room in ROW and ROW[rest[0]] >= ROW[room]:
                report(node.lineno, f"{room} imports {rest[0]}, which does not lie below it")
            if rest[0] == "recovery" and rest[1:] and rest[1][0].islower() and rest[1] not in OF_STRATEGIES:
                report(node.lineno, f"{name}: a strategy is asked what it does, not which one it is")
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and BAD_CLASS.search(node.name):
                report(node.lineno, f"class {node.name}: name it after what it is")
            if room != "cli" and prints_or_exits(node):
                report(node.lineno, "only cli prints or exits")
    return found


def test_the_package_keeps_the_rules():
    """No module of dcsim breaks a rule of the house."""
    assert violations(PACKAGE) == []


def test_no_test_or_script_is_over_long():
    """Tests and scripts keep to the same length as the package."""
    root = PACKAGE.parent
    files = [*root.glob("tests/**/*.py"), *(path for path in root.glob("scripts/*") if path.is_file())]
    assert Path(__file__) in files
    assert [path for path in files if len(path.read_text().splitlines()) > MOST_LINES] == []


def test_importing_dcsim_loads_no_room():
    """`import dcsim` brings in no module of its own and no dependency, only what the interpreter ships."""
    code = "import sys; import dcsim; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code + "; print(*[m for m in sys.modules if m.startswith('dcsim.')])"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PACKAGE.parent)},
    ).stdout.splitlines()  # fmt: skip
    dependencies = {"numpy", "pydantic", "click", "simpy", "jinja2", "tomli_w", *HEAVY}
    assert "dcsim" in loaded[0].split()
    assert dependencies.isdisjoint(loaded[0].split())
    assert loaded[1] == ""


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("units.py", "from dcsim.ledger import STATES", "units imports ledger"),
        ("hazards/gpu.py", "import dcsim.recovery.keys", "hazards imports recovery"),
        ("hazards/gpu.py", "from .. import topology", "hazards imports topology"),
        ("recovery/deep/elastic.py", "from ...economics import lines", "recovery imports economics"),
        ("engine/jobs.py", "from dcsim.montecarlo import runner", "engine imports montecarlo"),
        ("scenario/load.py", "def f():\n    from dcsim.engine import simulate", "scenario imports engine"),
        (
            "ledger.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dcsim.cli import main",
            "ledger imports cli",
        ),
        (
            "report/html.py",
            "from importlib import import_module\nimport_module('dcsim.cli')",
            "report imports cli",
        ),
        ("decide/sweep.py", "from dcsim import run", "dcsim.run: import from the room that owns it"),
        ("report/jobs.py", "import dcsim.recovery.stateless", "a strategy is asked what it does"),
        ("plumbing/pipe.py", "", "room plumbing has no row"),
        ("montecarlo/pool.py", "def f():\n    import simpy", "simpy belongs to engine"),
        ("engine/compiled_clock.py", "def f():\n    import simpy", "simpy belongs to engine/simpy_clock*"),
        ("report/terminal.py", "import click", "click belongs to cli"),
        ("topology/graph.py", "import networkx as nx", "networkx is loaded at import time"),
        ("closed_form/spares.py", "from scipy import special", "scipy is loaded at import time"),
        ("cli/run.py", "class Bar:\n    from rich.progress import Progress", "rich is loaded at import time"),
        (
            "cli/run.py",
            "try:\n    import pyarrow.parquet\nexcept ImportError:\n    pass",
            "pyarrow is loaded at import time",
        ),
        (
            "report/chart.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import matplotlib",
            "matplotlib is loaded at import time",
        ),
        ("engine/jobs.py", "print(1)", "only cli prints or exits"),
        ("engine/jobs.py", "def f():\n    raise SystemExit(2)", "only cli prints or exits"),
        ("report/format_utils.py", "", "not utils, helpers or common"),
        ("engine/common.py", "", "not utils, helpers or common"),
        ("engine/jobs.py", "class SpareManager: ...", "class SpareManager"),
        ("recovery/keys.py", "class BaseRecovery: ...", "class BaseRecovery"),
        ("units.py", "# TO" + "DO: more units", "unfinished work"),
        ("units.py", "\n" * 401, "401 lines, at most 400"),
    ],
)
def test_a_planted_breach_is_found(tmp_path, path, source, expected):
    """The checker names a breach that is put into an otherwise clean package, and nothing else."""
    module = tmp_path / "dcsim" / path
    module.parent.mkdir(parents=True)
    module.write_text(source, encoding="utf-8")
    (found,) = violations(tmp_path / "dcsim")
    assert found.startswith(f"{path}:")
    assert expected in found


def test_too_many_modules_are_found(tmp_path):
    """A module more than is allowed is one too many, one less is not."""
    for number in range(MOST_MODULES - 1):
        (tmp_path / f"dcsim/engine/part{number}.py").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"dcsim/engine/part{number}.py").touch()
    assert violations(tmp_path / "dcsim") == []
    (tmp_path / "dcsim/engine/last.py").touch()
    assert violations(tmp_path / "dcsim") == [f"dcsim: {MOST_MODULES} modules, fewer than {MOST_MODULES} allowed"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "__init__.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dcsim.decide import run",
        ),
        ("__main__.py", "from dcsim.cli import main"),
        (
            "cli/run.py",
            "import click\nfrom dcsim import __version__\nfrom dcsim.units import HOUR\nprint(HOUR)",
        ),
        (
            "engine/simpy_clock_jobs.py",
            "import simpy\nfrom dcsim.engine import gang\nfrom . import crews\nimport numpy",
        ),
        ("hazards/weibull.py", "from dcsim import units\ndef draw():\n    from scipy import special"),
        ("topology/graph.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import networkx"),
        ("scenario/model.py", "class Baseline: ...\nclass Basement: ..."),
    ],
)
def test_what_is_allowed_is_not_found(tmp_path, path, source):
    """Imports that point down, lazy and type-only imports, and words that only look like bad names, pass."""
    module = tmp_path / "dcsim" / path
    module.parent.mkdir(parents=True)
    module.write_text(source, encoding="utf-8")
    assert violations(tmp_path / "dcsim") == []
