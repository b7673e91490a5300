"""The compiled clock without numba. Its integers are held in tests/golden, and by SimPy's clock."""

import os
import subprocess
import sys

import pytest

from dcsim.engine.compiled_clock import simulate_many
from dcsim.scenario import load
from dcsim.shipped import shipped_files

FILES = shipped_files("scenarios")
WITHOUT = """
import sys
if sys.argv[1] == "missing":
    sys.modules["numba"] = None
from dcsim.engine.compiled_clock import is_compiled, simulate_many
from dcsim.scenario import load
from dcsim.shipped import shipped_files
assert not is_compiled()
found = simulate_many(load(shipped_files("scenarios")[sys.argv[2]]), [0])
assert sys.modules.get("numba") is None
print(found.gpu_ms.tolist(), found.failures.tolist())
"""


@pytest.mark.parametrize("how", ["missing", "disabled"])
@pytest.mark.parametrize("name", ["failures/technicians", "strategies-5184/elastic", "plant/shelves-n"])
def test_without_numba_the_integers_are_the_same(how: str, name: str) -> None:
    """NUMBA_DISABLE_JIT=1, or no numba at all: plain Python, and numba is never imported."""
    environment = os.environ | ({"NUMBA_DISABLE_JIT": "1"} if how == "disabled" else {})
    printed = subprocess.run(
        [sys.executable, "-c", WITHOUT, how, name], capture_output=True, text=True, check=True, env=environment
    ).stdout
    expected = simulate_many(load(FILES[name]), [0])
    assert printed.strip() == f"{expected.gpu_ms.tolist()} {expected.failures.tolist()}"
