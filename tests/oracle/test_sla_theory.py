"""How much of a month a domain is down: against the published table, against sampled months, and at its edges."""

import math

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import binom

from dcsim.closed_form import down_at_most, down_probabilities, enough_up, promised, too_few_up
from dcsim.distributions import Exponential, Fixed, Lognormal

MONTH, MTBF, GPUS, RENT = 720.0, 25_000.0, 5_184, 4.0
TIERS = ((0.005, 0.10), (0.01, 0.20), (0.05, 0.70))
"""Share of a month that may be missed, and what the next tier adds: 99.5, 99 and 95 % give 10, 30 and 100 %."""
MS = 3.6e6
CV_1 = math.sqrt(math.log(2))


def longer(law: Lognormal | Exponential | Fixed):  # type: ignore[no-untyped-def]
    return lambda hours: law.beyond(hours * MS)


def lognormal(mean_h: float) -> Lognormal:
    return Lognormal(kind="lognormal", mean=f"{mean_h * 3600} s", sigma=CV_1)


def missed(size: int, mean: float, *, begins_up: bool = False) -> list[float]:
    allowed = [share * MONTH for share, _ in TIERS]
    law = longer(lognormal(mean))
    return [1 - each for each in down_at_most(allowed, size / MTBF, law, mean, MONTH, begins_up=begins_up)]


@pytest.mark.parametrize(
    ("size", "mean", "percent", "usd"),
    [
        (8, 0.25, 0.00, 0),
        (8, 8 + 2 / 3, 3.81, 568e3),
        (8, 24, 8.76, 1.31e6),
        (4, 24, 4.22, 629e3),
        (64, 1, 1.82, 272e3),
        (72, 8 + 2 / 3, 30.7, 4.58e6),
    ],
)
def test_the_published_credits_within_four_standard_errors_of_their_20000_months(
    size: int, mean: float, percent: float, usd: float
) -> None:
    """The table was sampled; its standard error follows from the same distribution. Its amounts follow from it."""
    shares = missed(size, mean)
    credit = sum(weight * share for share, (_, weight) in zip(shares, TIERS, strict=True))
    levels, most = [], 0.0
    for share, (_, weight) in zip(shares, TIERS, strict=True):
        most += weight
        levels.append((most, share))
    in_tier = [(level, share - after) for (level, share), (_, after) in zip(levels, [*levels[1:], (1, 0)], strict=True)]
    variance = sum(level**2 * share for level, share in in_tier) - credit**2
    error = math.sqrt(variance / 20_000)
    assert abs(credit - percent / 100) < 4 * error + 0.5e-4
    charge = GPUS * RENT * MONTH
    assert abs(credit * charge - usd) < (4 * error + 0.5e-3) * charge


def sampled(rate: float, draw, months: int, rng: np.random.Generator) -> np.ndarray:  # type: ignore[no-untyped-def,type-arg]
    """Hours down in each month of one long history of a domain, played failure by failure."""
    down, now = np.zeros(months), 0.0
    while now < months * MONTH:
        now += rng.exponential(1 / rate)
        end = now + draw()
        while now < min(end, months * MONTH):
            month = int(now // MONTH)
            until = min(end, (month + 1) * MONTH)
            down[month] += until - now
            now = until
        now = end
    return down


@pytest.mark.parametrize(("rate", "mean"), [(72 / MTBF, 26 / 3), (1 / 200, 30.0), (1 / 20, 1.0)])
def test_months_of_one_long_history_agree_with_the_steady_state(rate: float, mean: float) -> None:
    """Months of one history depend on one another a little: the error is taken from batches of 100."""
    rng = np.random.default_rng(20_264)
    down = sampled(rate, lambda: mean * math.exp(CV_1 * rng.standard_normal() - CV_1**2 / 2), 20_000, rng)
    allowed = [0.0, 3.6, 7.2, 36.0, 72.0]
    expected = down_at_most(allowed, rate, longer(lognormal(mean)), mean, MONTH)
    for x, theory in zip(allowed, expected, strict=True):
        batches = (down <= x).reshape(-1, 100).mean(axis=1)
        assert abs(batches.mean() - theory) < 4 * batches.std(ddof=1) / math.sqrt(len(batches)) + 2e-4, x


def test_the_mean_time_down_is_that_of_renewal_theory() -> None:
    """The integral of P(D > x) is the mean, T * λm / (1 + λm), whatever the law of a repair."""
    for law, mean in ((lognormal(10.0), 10.0), (Fixed(time="10 h"), 10.0)):
        x = np.concatenate([[0], np.linspace(0.01, 300.01, 301), np.linspace(310, 719, 20)])
        above = 1 - np.array(down_at_most(x.tolist(), 0.01, longer(law), mean, MONTH))
        found = float(((above[1:] + above[:-1]) / 2 * np.diff(x)).sum())
        assert found == pytest.approx(MONTH * 0.1 / 1.1, rel=1e-3)


def test_repairs_of_a_fixed_time_are_counted() -> None:
    """Begun up, at most 25 h of repairs of 10 h: at most two failures in 695 hours of up-time."""
    (found,) = down_at_most([25.0], 0.002, longer(Fixed(time="10 h")), 10.0, MONTH, begins_up=True)
    lam = 0.002 * 695
    assert found == pytest.approx(math.exp(-lam) * (1 + lam + lam**2 / 2), abs=1e-6)


def test_exponential_repairs_agree_with_the_series_of_erlang() -> None:
    """Begun up: P = Σ Poisson(n; λ(T-x)) P(Erlang(n) <= x), by another package."""
    from scipy.stats import gamma, poisson

    law, x = Exponential(kind="exponential", mean="5 h"), 20.0
    n = np.arange(1, 60)
    expected = poisson.pmf(0, 0.01 * 700) + (poisson.pmf(n, 0.01 * 700) * gamma.cdf(x, n, scale=5.0)).sum()
    (found,) = down_at_most([x], 0.01, longer(law), 5.0, MONTH, begins_up=True)
    assert found == pytest.approx(expected, abs=2e-6)


def test_very_many_failures_lose_no_digits() -> None:
    """500 repairs of 0.01 h: about normal, and half of the months lie above the mean."""
    law = Exponential(kind="exponential", mean="36 s")
    rate = 500 / 700
    mean = MONTH * rate * 0.01 / (1 + rate * 0.01)
    found = down_at_most([0.8 * mean, mean, 1.2 * mean], rate, longer(law), 0.01, MONTH)
    assert found[0] < 0.01
    assert found[1] == pytest.approx(0.5, abs=0.01)
    assert found[2] > 0.99


def test_edges() -> None:
    """No failures, no time for repairs, the whole month, and no hour at all."""
    law = longer(lognormal(10.0))
    assert down_at_most([0.0, 5.0], 0.0, law, 10.0, MONTH) == [1, 1]
    assert down_at_most([MONTH], 0.1, law, 10.0, MONTH) == [1]
    assert down_at_most([0.0], 0.001, law, 10.0, MONTH, begins_up=True) == [pytest.approx(math.exp(-0.72))]
    assert down_at_most([0.0], 0.001, law, 10.0, MONTH) == [pytest.approx(math.exp(-0.72) / 1.01)]


def test_what_can_be_promised_is_missed_in_one_month_of_a_hundred() -> None:
    """A node of 8 GPUs with repairs of 8 h 40 in the mean."""
    law, mean = longer(lognormal(26 / 3)), 26 / 3
    found = promised(0.01, 8 / MTBF, law, mean, MONTH)
    assert 0.95 < found < 0.97
    (kept,) = down_at_most([(1 - found) * MONTH], 8 / MTBF, law, mean, MONTH)
    assert kept == pytest.approx(0.99, abs=1e-5)
    assert kept >= 0.99
    assert promised(0.5, 8 / MTBF, law, mean, MONTH) == 1
    assert promised(1e-9, 1.0, longer(lognormal(2_000.0)), 2_000.0, MONTH) < 1e-5


def exactly(parts: int, needed: int, rate: float, mean: float, x: float) -> float:
    """P(lost for at most x of a month) of parts with exponential repairs: the transform of the time that a Markov chain
    spends where too few are up (Takacs), inverted by Euler's method of Abate and Whitt."""
    down = np.arange(parts + 1)
    chain = np.diag((parts - down[:-1]) * rate, 1) + np.diag(down[1:] / mean, -1)
    chain -= np.diag(chain.sum(axis=1))
    steady = binom.pmf(down, parts, rate * mean / (1 + rate * mean))
    lost = np.diag((down > parts - needed).astype(float))

    def transform(s: complex) -> float:
        return float((steady @ expm((chain - s * lost) * MONTH) @ np.ones(parts + 1) / s).real)

    a, terms, averaged = 18.4, 25, 11
    each = [transform(a / (2 * x)) / 2]
    each += [(-1) ** k * transform((a + 2j * k * math.pi) / (2 * x)) for k in range(1, terms + averaged + 1)]
    sums = math.exp(a / 2) / x * np.cumsum(each)
    return float(sum(math.comb(averaged, k) * 2.0**-averaged * sums[terms + k] for k in range(averaged + 1)))


@pytest.mark.parametrize(
    ("parts", "needed", "mtbf", "mean"),
    [(18, 16, 6_250, 24.0), (18, 16, 6_250, 72.0), (18, 16, 1_500, 24.0), (18, 17, 6_250, 24.0), (18, 18, 6_250, 24.0)],
)
def test_losses_of_k_of_n_are_near_the_exact_law(parts: int, needed: int, mtbf: float, mean: float) -> None:
    """Months below 99.5 and 99 % within 3 % of what they are, and below 95 % within 12 %, where they are 1 in 150."""
    law = Exponential(kind="exponential", mean=f"{mean} h")
    losses = too_few_up(parts, needed, 1 / mtbf, longer(law), mean, MONTH)
    found = down_at_most([3.6, 7.2, 36.0], losses.rate, losses.longer, losses.mean, MONTH)
    for x, theory, off in zip((3.6, 7.2, 36.0), found, (0.03, 0.03, 0.12), strict=True):
        exact = 1 - exactly(parts, needed, 1 / mtbf, mean, x)
        assert 1 - theory == pytest.approx(exact, rel=off, abs=1e-5), x


def test_rate_and_mean_of_losses_are_exact() -> None:
    """Two parts of which one is needed: both down for a share p of p, in losses of half a repair, whatever its law."""
    p = 24 / 524
    losses = too_few_up(2, 1, 1 / 500, longer(lognormal(24.0)), 24.0, MONTH)
    often = 2 * p * (1 - p) / 500
    assert losses.rate * losses.mean / (1 + losses.rate * losses.mean) == pytest.approx(p * p, rel=1e-9)
    follows = (1 / 500) / (1 / 500 + 1 / 24)
    assert losses.mean == pytest.approx(p * p / often / (1 - follows), rel=1e-9)
    assert too_few_up(2, 1, 1e-300, longer(lognormal(24.0)), 24.0, MONTH).rate == 0
    one = too_few_up(1, 1, 1 / 500, longer(lognormal(24.0)), 24.0, MONTH)
    assert (one.rate, one.mean) == (pytest.approx(1 / 500), pytest.approx(24.0))
    assert one.longer(20.0) == pytest.approx(longer(lognormal(24.0))(20.0), abs=2e-3)


@pytest.mark.parametrize(("repair", "sixteen", "all_up"), [(24, 0.999956, 0.933), (72, 0.99894, None)])
def test_64_of_72_is_16_of_18_trays(repair: float, sixteen: float, all_up: float | None) -> None:
    """Published: 0.999956 at 24 h of repair, 0.99894 at 72 h; all 18 up 0.933 at 24 h."""
    law = down_probabilities(18, 18, MTBF / 4, repair)
    assert enough_up(law, 16) == pytest.approx(sixteen, abs=0.5e-5 if sixteen < 0.999 else 0.5e-6)
    assert enough_up(law, 16) == pytest.approx(binom.cdf(2, 18, repair / (repair + MTBF / 4)), abs=1e-12)
    if all_up:
        assert enough_up(law, 18) == pytest.approx(all_up, abs=5e-4)
