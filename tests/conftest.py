"""Settings shared by all tests.

What they start runs with buffered output, as at a user's.

Hypothesis draws the same examples on every run and machine, and never judges by the clock. To look further:
`scripts/test tests/property --hypothesis-profile=explore`.
"""

import gc
import os
import signal

from hypothesis import Phase, settings

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # as the command line sets them, before numpy is loaded
    os.environ.setdefault(_name, "1")
os.environ.pop("PYTHONUNBUFFERED", None)  # it would hide what happens to output that is still held at the end

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a shell's job in the background; processes inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until the tests are collected, whose half a million objects all stay


def pytest_collection_finish() -> None:
    """Let the garbage collector look at what comes from now on."""
    gc.freeze()
    gc.enable()


settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2_000, deadline=None)
settings.register_profile(  # of scripts/faults: that a test fails is all that it asks
    "judge", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("repeatable")
