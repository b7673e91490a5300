"""What computing a token takes: the decode floor, batches, the KV cache, prefill and its cache hits, and its cost.

Sizes in GB (10^9 bytes), bandwidth in GB/s, times in seconds, money in USD; a loss is a fraction of GPU-hours.
Arguments are floats, or float64 arrays of one shape; every result then has that shape. Source of the formulas: deck
(SemiAnalysis, "From Fab to Token", April 2026). Rows of it that do not follow from their inputs are ``DECLINED``.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Amount = TypeVar("Amount", float, "NDArray[np.float64]")

SECONDS_PER_HOUR = 3_600
MTOK = 1e6
"""Tokens in the unit in which they are sold."""

# --- money ------------------------------------------------------------------------------------------------------------


def usd_per_mtok(gpu_hour: Amount, tokens_per_second: Amount, loss: Amount, utilisation: Amount) -> Amount:
    """Return what a million tokens cost [USD] = price / (tokens/s * 3600 * (1 - loss) * utilisation) * 10^6.

    ``gpu_hour``: what is paid for a GPU-hour [USD]. ``loss``: of GPU-hours to failures, below 1. ``utilisation``: the
    share of the useful hours in which requests fill the GPUs, above 0.
    """
    return gpu_hour / (tokens_per_second * SECONDS_PER_HOUR * (1 - loss) * utilisation) * MTOK


def margin(price: Amount, cost: Amount) -> Amount:
    """Return the share of a price, above 0, that its cost leaves: 1 - cost / price; below 0 at a loss."""
    return 1 - cost / price


# --- decoding ---------------------------------------------------------------------------------------------------------


def decode_step_s(weights_gb: Amount, bandwidth_gb_s: Amount, cached_gb: Amount) -> Amount:
    """Return the least time of a step that gives every sequence of a batch one token [s].

    (weights + cached) / bandwidth: a step reads all weights once, and the KV cache of the batch. The deck's floor reads
    no cache (``cached_gb`` 0). Memory traffic alone: arithmetic and communication come on top.
    """
    return (weights_gb + cached_gb) / bandwidth_gb_s


def decode_usd_per_mtok(gpu_hour: Amount, step_s: Amount, batch: Amount) -> Amount:
    """Return what a million tokens cost [USD] where each step of ``step_s`` gives a token to each of a batch."""
    return gpu_hour * step_s / SECONDS_PER_HOUR / batch * MTOK


def break_even_batch(gpu_hour: float, price: float, weights_gb: float, bandwidth_gb_s: float, each_gb: float) -> float:
    """Return the batch from which tokens at ``price`` [USD per million] pay for a GPU-hour; infinite if none does.

    A batch b costs gpu_hour * (weights + b * each) / bandwidth / 3600 / b * 10^6, ``each_gb`` the KV cache of one
    sequence: price * b = c * (weights + b * each) with c = gpu_hour / bandwidth / 3600 * 10^6.
    """
    c = decode_usd_per_mtok(gpu_hour, 1 / bandwidth_gb_s, 1.0)
    rest = price - c * each_gb
    return c * weights_gb / rest if rest > 0 else float("inf")


def batch_of_speed(speed: float, weights_gb: float, bandwidth_gb_s: float, each_gb: float) -> float:
    """Return the batch that decodes ``speed`` tokens a second; infinite if no batch does.

    A batch b gives b / step, with the step of ``decode_step_s``: b = speed * weights / (bandwidth - speed * each).
    """
    rest = bandwidth_gb_s - speed * each_gb
    return speed * weights_gb / rest if rest > 0 else float("inf")


# --- the KV cache -----------------------------------------------------------------------------------------------------


def kv_cache_gb(tokens: Amount, gb_per_1000: Amount) -> Amount:
    """Return the KV cache of a sequence of so many tokens [GB]."""
    return tokens / 1000 * gb_per_1000


def batch_that_fits(memory_gb: float, weights_gb: float, each_gb: float) -> int:
    """Return how many sequences of ``each_gb`` KV cache, above 0, fit in memory beside the weights; 0 if none."""
    return max(0, int((memory_gb - weights_gb) / each_gb * (1 + 1e-12)))


def kv_transfer_gbit_s(cache_gb: float, requests_per_second: float) -> float:
    """Return the data rate of handing KV caches from prefill to decode [Gb/s] = GB * 8 * requests per second."""
    return cache_gb * 8 * requests_per_second


# --- prefill ----------------------------------------------------------------------------------------------------------


def request_cost(prefill: Amount, decode: Amount, hit: Amount, batch: Amount) -> Amount:
    """Return the cost of a request [unit of ``prefill`` and ``decode``] = ((1 - hit) * prefill + decode) / batch.

    ``hit``: share of the prefill that a cache answers.
    """
    return ((1 - hit) * prefill + decode) / batch


def work_per_decode(prefill_share: Amount, hit: Amount) -> Amount:
    """Return all work of a request by that of decoding it, ``prefill_share`` below 1: 1 where all prefill is cached."""
    return request_cost(prefill_share, 1 - prefill_share, hit, 1 + 0 * hit) / (1 - prefill_share)


def saved_by_hits(prefill_share: Amount, hit: Amount) -> Amount:
    """Return the share of the fleet that cache hits save: of all work without them less that with them."""
    return 1 - request_cost(prefill_share, 1 - prefill_share, hit, 1 + 0 * hit)


# --- what is not told again -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Declined:
    """A published row that does not follow from the inputs printed with it, and why dcsim does not repeat it."""

    row: str
    printed: str
    why: str


DECLINED = (
    Declined(
        "cost at max batch",
        "7.50 / 4.50 / 0.65 / 0.20 USD",
        "it does not follow from rent, bandwidth and sizes printed: at 2.50 USD and 41.8 ms a step it takes batches of "
        "3.9, 6.4, 44.6 and 145.1",
    ),
    Declined(
        "its batch sizes",
        "max batch",
        "they do not follow from memory, weights and KV cache, and do not give the costs beside them",
    ),
    Declined(
        "return of a GB200",
        "5 M -> 75 M",
        "neither price, tokens per second nor term is printed; of 72 GPUs over 4 years, say, it takes 29.7 USD of "
        "revenue per GPU-hour",
    ),
)
