"""Settings shared by all tests.

Hypothesis draws the same examples on every run and machine, and never judges by the clock. To look further:
`scripts/test tests/property --hypothesis-profile=explore`.
"""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=2_000, deadline=None)
settings.load_profile("repeatable")
