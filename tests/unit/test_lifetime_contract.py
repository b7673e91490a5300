"""What every distribution of the time to failure must answer, whatever its kind: the registry is the list of cases."""

import numpy as np
import pytest

from dcsim.hazards import LIFETIMES

HOUR = 3_600_000
every_kind = pytest.mark.parametrize("kind", sorted(LIFETIMES))


def lifetime(kind, hours=100):
    """Return a lifetime of a kind with the given mean; further required numbers are 1."""
    model = LIFETIMES[kind]
    required = {name: 1.0 for name, each in model.model_fields.items() if each.is_required()}
    return model.model_validate({**required, "kind": kind, "mean": f"{hours} h"})


def times(chosen, components=50, horizon=1000 * HOUR, seed=20_261_121):
    """Draw failure times from a stream of its own."""
    return chosen.failure_times(np.random.Generator(np.random.SFC64(seed)), components, horizon)


@every_kind
def test_mean(kind):
    """The stated mean is the arithmetic mean, in ms."""
    assert lifetime(kind, 100).mean_ms == 100 * HOUR


@every_kind
def test_memory(kind):
    """A kind says whether it is memoryless; the exponential one is."""
    assert isinstance(LIFETIMES[kind].memoryless, bool)
    assert LIFETIMES[kind].memoryless or kind != "exponential"


@every_kind
def test_times(kind):
    """Failure times are int64 ms, ascending, within [0, horizon), the same for the same stream."""
    drawn = times(lifetime(kind))
    assert drawn.dtype == np.int64
    assert drawn.ndim == 1
    assert drawn[0] >= 0
    assert drawn[-1] < 1000 * HOUR
    assert (np.diff(drawn) >= 0).all()
    np.testing.assert_array_equal(drawn, times(lifetime(kind)))


@every_kind
def test_rate(kind):
    """Over 800 lives 50 memoryless components fail once per mean life each, within 4 errors of a Poisson count."""
    if not LIFETIMES[kind].memoryless:
        pytest.skip("failures of renewed components are no Poisson stream")
    expected = 50 * 800
    found = len(times(lifetime(kind), 50, 800 * 100 * HOUR))
    assert abs(found - expected) < 4 * expected**0.5


@every_kind
@pytest.mark.parametrize("part", [1, 10, 333, 999])
def test_horizon_only_cuts(kind, part):
    """A shorter horizon leaves the failures before it as they are, though other numbers of draws are made."""
    whole = times(lifetime(kind))
    np.testing.assert_array_equal(times(lifetime(kind), horizon=part * HOUR), whole[whole < part * HOUR])


@every_kind
def test_half_open_horizon(kind):
    """A failure at the horizon itself does not happen; one ms later it does."""
    fifth = int(times(lifetime(kind))[4])
    assert len(times(lifetime(kind), horizon=fifth)) < len(times(lifetime(kind), horizon=fifth + 1))


@every_kind
def test_common_random_numbers(kind):
    """Draws are unit numbers scaled by the mean: twice the mean gives twice the times, but for rounding each gap."""
    once, twice = times(lifetime(kind, 100)), times(lifetime(kind, 200), horizon=2000 * HOUR)
    shared = min(len(once), len(twice))
    assert abs(len(once) - len(twice)) <= 1
    assert (np.abs(twice[:shared] - 2 * once[:shared]) <= 1.5 * np.arange(1, shared + 1)).all()


@every_kind
def test_no_failures(kind):
    """Components that live a billion hours give an empty array over one hour, not an error."""
    drawn = times(lifetime(kind, 10**9), components=2, horizon=HOUR)
    assert drawn.dtype == np.int64
    assert len(drawn) == 0
