"""The closed forms stay light: they are read before anything is simulated."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "pydantic", "networkx", "pyarrow", "simpy", "matplotlib")


def test_importing_closed_forms_imports_nothing_heavy():
    """Importing dcsim.closed_form brings in neither numpy nor scipy nor any other heavy library."""
    code = f"import sys, dcsim.closed_form; print([name for name in {HEAVY} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("room", ["dcsim.closed_form", "dcsim.economics"])
def test_public_names_exist(room):
    """Every name in __all__ can be imported, and the list is sorted without repeats."""
    module = __import__(room, fromlist=["__all__"])
    assert all(hasattr(module, name) for name in module.__all__)
    assert sorted(set(module.__all__), key=module.__all__.index) == module.__all__
