"""Whether a name on a page is there: ``Plan.draws``, ``sequential_stopping.narrow``, ``load`` in named modules."""

import ast
import importlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def modules():
    """Dotted name of every module of the package."""
    paths = sorted((ROOT / "dcsim").rglob("*.py"))
    dotted = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return [name for name in dotted if not name.endswith("__main__")]


@cache
def classes():
    """Every class of the package by its name -> dotted name of its module."""
    found = {}
    for path in sorted((ROOT / "dcsim").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name] = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return found


def has(owner, names):
    """Whether a module or class has an attribute, or one of its attribute, …; fields of a class count."""
    for name in names:
        fields = {*getattr(owner, "model_fields", ()), *getattr(owner, "__dataclass_fields__", ())}
        if name in fields:
            return name == names[-1]
        if not hasattr(owner, name):
            return False
        owner = getattr(owner, name)
    return True


def found(name, paths=()):
    """The module, class or function that a name stands for, or None; ``paths``: files and folders it may be in."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        tail = "." + ".".join(parts[:end])
        for module in modules():
            if module.endswith(tail) and has(importlib.import_module(module), parts[end:]):
                return reached(importlib.import_module(module), parts[end:])
    if len(parts) > 1 and parts[0] in classes():
        module = importlib.import_module(classes()[parts[0]])
        return reached(module, parts) if has(module, parts) else None
    inside = ["." + path.removesuffix(".py").strip("/").replace("/", ".") for path in paths]
    near = [
        each for each in modules() if any(f".{each}".endswith(path) or f"{path}." in f".{each}." for path in inside)
    ]
    held = [module for module in map(importlib.import_module, near) if len(parts) == 1 and has(module, parts)]
    return reached(held[0], parts) if held else None


def reached(owner, names):
    """An attribute of an attribute, …; a field of a class, which need not be an attribute, is its name."""
    for name in names:
        owner = getattr(owner, name, name)
    return owner


def exists(name, paths):
    """Whether a name in a column of functions can be imported; ``paths``: files and folders in the headings above."""
    return found(name, paths) is not None
