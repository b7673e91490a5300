"""Which batch a token seller runs, by closed forms: what memory allows, what tokens cost, and what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from pydantic_core import PydanticCustomError

from dcsim.closed_form.inference import (
    DECLINED,
    batch_of_speed,
    batch_that_fits,
    break_even_batch,
    decode_step_s,
    decode_usd_per_mtok,
    kv_cache_gb,
    kv_transfer_gbit_s,
    margin,
    saved_by_hits,
    work_per_decode,
)
from dcsim.decide.display import Displayed
from dcsim.decide.estimate import SCHEMA, estimate
from dcsim.decide.tokens import paid_of
from dcsim.decide.variants import Axis, read_axes
from dcsim.economics.tokens import ServedModel, Tokens
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, certain, read, sha256
from dcsim.units import HOURS_PER_MONTH, TOKENS, parse

CONTEXTS = (4_000.0, 32_000.0, 128_000.0, 1_000_000.0)
"""Contexts that are told beside the scenario's own [tokens]; source: deck."""
HITS = (0.0, 0.25, 0.563, 0.75, 0.9)
"""Cache hits that are told beside the scenario's own; source: 56.3 % deck, the others assumed."""
HANDED_OVER = 10.0
"""Requests a second whose KV cache is handed from prefill to decode; source: deck."""
MOST_BATCH = 10**6
"""Largest batch that may be asked for; source: assumed."""


@dataclass(frozen=True)
class BatchCost:
    """One batch: times [s], the KV cache [GB], tokens a second of one GPU, and what a million tokens cost [USD].

    ``floor_usd``: of decoding, by reading the weights alone, as published; ``decode_usd``: with the KV cache read;
    ``usd``: with prefill, failures and hours without requests. ``left``: of the price.
    """

    batch: int
    floor_s: float
    step_s: float
    cache_gb: float
    fits: bool
    gpu_tokens_per_s: float
    floor_usd: float
    decode_usd: float
    usd: float
    left: float


@dataclass(frozen=True)
class ContextLimit:
    """What a context of so many tokens allows: ``each_gb`` of KV cache a sequence, ``largest`` batch in memory.

    ``best``: that batch, None if none fits. ``pays_from``: the batch from which the price pays for the GPUs, None if no
    batch does. ``handed_over_gbit_s``: of ``HANDED_OVER`` requests a second.
    """

    context: float
    each_gb: float
    largest: int
    pays_from: float | None
    handed_over_gbit_s: float
    best: BatchCost | None


@dataclass(frozen=True)
class HitCost:
    """What cache hits save of the fleet, and what a million tokens cost [USD] at the scenario's largest batch."""

    hit: float
    saved: float
    usd: float | None


@dataclass(frozen=True, eq=False, repr=False)
class TokenTable(Displayed):
    """Batches, contexts and cache hits of a replica of so many GPUs; nothing is simulated.

    ``gpu_hour``: what is paid for a GPU-hour that serves [USD]. ``loss``: of a replica, by formula.
    ``batch_of_speed``: the batch that is as fast as the scenario says, its prefill done too; None if none is.
    """

    scenario: Scenario
    gpus: int
    gpu_hour: float
    loss: float
    batch_of_speed: float | None
    batches: tuple[BatchCost, ...]
    own: ContextLimit
    contexts: tuple[ContextLimit, ...]
    hits: tuple[HitCost, ...]

    @property
    def tokens(self) -> Tokens:
        """The scenario's [tokens]."""
        assert self.scenario.tokens is not None
        return self.scenario.tokens

    @property
    def model(self) -> ServedModel:
        """The scenario's [tokens.model]."""
        assert self.tokens.model is not None
        return self.tokens.model

    @property
    def memory_gb(self) -> float:
        """Memory of a replica [GB]."""
        return self.model.memory_gb * self.gpus

    def __str__(self) -> str:
        return f"{self.scenario.name}: at most {self.own.largest:,} sequences of {self.own.context:,.0f} tokens fit"

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim table tokens --json`` prints."""
        return {
            "schema": SCHEMA,
            "table": "tokens",
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "replica_gpus": self.gpus,
            "replica_memory_gb": self.memory_gb,
            "usd_per_gpu_hour": self.gpu_hour,
            "replica_loss": self.loss,
            "batch_of_speed": self.batch_of_speed,
            "batches": [asdict(each) for each in self.batches],
            "own_context": asdict(self.own),
            "contexts": [asdict(each) for each in self.contexts],
            "hits": [asdict(each) for each in self.hits],
            "declined": [asdict(each) for each in DECLINED],
        }


def token_table(
    scenario: Source, values: Mapping[str, Any] | Sequence[str] = (), *, set: Sequence[str] = ()
) -> TokenTable:
    """Return what each batch of a scenario with [tokens.model] costs; nothing is simulated.

    ``values``: batches or contexts, such as "batch=1,64" or {"context": ["8 ktok"]}. The replica is a gang of the first
    job that serves. Raises ScenarioError for a scenario without [tokens.model], and for other values.
    """
    made = certain(read(scenario, set=set))
    if made.tokens is None or made.tokens.model is None:
        why = f"{made.name}: missing; the table chooses a batch from the size of a model and the memory of a GPU"
        raise ScenarioError([Problem("table tokens", None, "tokens.model", why)])
    axes = [Axis.of(key, its) for key, its in values.items()] if isinstance(values, Mapping) else read_axes(values)
    asked: dict[str, list[float]] = {"batch": [], "context": []}
    for axis in axes:
        if axis.key not in asked:
            told = 'table tokens is about batch and context, such as "batch=1,64" and "context=8 ktok"'
            raise ScenarioError([Problem("-L", None, "", wrong(axis.key, told))])
        asked[axis.key] = [_batch(each) if axis.key == "batch" else _context(each) for each in axis.values]
    return _Replica(made).table(asked["batch"], asked["context"])


def _batch(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_BATCH:
        return value
    raise ScenarioError(
        [Problem("-L", None, "batch", wrong(value, f"allowed: a whole number from 1 to {MOST_BATCH:,}"))]
    )


def _context(value: Any) -> float:
    try:
        return float(parse(value, TOKENS))
    except PydanticCustomError as error:
        raise ScenarioError([Problem("-L", None, "context", error.message())]) from None


class _Replica:
    """A replica of a scenario: what it has, and what it costs."""

    def __init__(self, scenario: Scenario) -> None:
        tokens = scenario.tokens
        assert tokens is not None
        assert tokens.model is not None
        serving = [job for job in scenario.jobs if tokens.serves(job.name)]
        found = estimate(scenario).tokens
        assert found is not None
        self.scenario, self.tokens, self.model, self.gpus = scenario, tokens, tokens.model, serving[0].gpus
        gpus = sum(job.gpus * job.count for job in serving)
        self.gpu_hour = paid_of(scenario) / (gpus * HOURS_PER_MONTH)
        self.loss = found.replica_loss
        self.hour = self.gpu_hour * self.gpus
        self.weights, self.bandwidth = tokens.model.weights_gb, tokens.model.bandwidth * self.gpus
        self.memory = tokens.model.memory_gb * self.gpus

    def useful(self, hit: float) -> float:
        """Return the share of the hours paid that decodes tokens which are sold."""
        return max(0.0, 1 - self.loss) * self.tokens.utilisation / work_per_decode(self.model.prefill, hit)

    def cost(self, batch: int, context: float) -> BatchCost:
        """Return what a batch takes and costs."""
        cached = batch * kv_cache_gb(context, self.model.kv_cache_gb)
        floor, step = (decode_step_s(self.weights, self.bandwidth, each) for each in (0.0, cached))
        decode, useful = decode_usd_per_mtok(self.hour, step, float(batch)), self.useful(self.model.hit)
        usd = decode / useful if useful else float("inf")
        return BatchCost(
            batch=batch,
            floor_s=floor,
            step_s=step,
            cache_gb=cached,
            fits=batch <= self.largest(context),
            gpu_tokens_per_s=batch / step / self.gpus,
            floor_usd=decode_usd_per_mtok(self.hour, floor, float(batch)),
            decode_usd=decode,
            usd=usd,
            left=margin(self.tokens.price, usd),
        )

    def largest(self, context: float) -> int:
        """Return the largest batch that fits in memory."""
        return batch_that_fits(self.memory, self.weights, kv_cache_gb(context, self.model.kv_cache_gb))

    def limit(self, context: float) -> ContextLimit:
        """Return what a context allows."""
        each, largest = kv_cache_gb(context, self.model.kv_cache_gb), self.largest(context)
        price = self.tokens.price * self.useful(self.model.hit)
        pays = break_even_batch(self.hour, price, self.weights, self.bandwidth, each)
        handed = kv_transfer_gbit_s(each, HANDED_OVER)
        best = self.cost(largest, context) if largest else None
        return ContextLimit(context, each, largest, pays if isfinite(pays) else None, handed, best)

    def hit(self, share: float, best: BatchCost | None) -> HitCost:
        """Return what a share of cache hits saves, and costs at a batch."""
        useful = self.useful(share)
        usd = None if best is None or not useful else best.decode_usd / useful
        return HitCost(share, saved_by_hits(self.model.prefill, share), usd)

    def table(self, batches: Sequence[float], contexts: Sequence[float]) -> TokenTable:
        """Return the whole table; without batches, powers of two up to the largest that fits, and that one."""
        own = self.limit(self.model.context)
        powers = [2**power for power in range(21) if 2**power <= max(own.largest, 256)]
        chosen = batches or [*powers, *([own.largest] if own.largest else [])]
        shown = sorted({self.model.context, *(contexts or CONTEXTS)})
        decoded = self.tokens.speed * self.gpus * work_per_decode(self.model.prefill, self.model.hit)
        speed = batch_of_speed(decoded, self.weights, self.bandwidth, own.each_gb)
        return TokenTable(
            self.scenario,
            self.gpus,
            self.gpu_hour,
            self.loss,
            speed if isfinite(speed) else None,
            tuple(self.cost(int(each), self.model.context) for each in sorted({*chosen})),
            own,
            tuple(self.limit(each) for each in shown),
            tuple(self.hit(each, own.best) for each in sorted({self.model.hit, *HITS}) if self.model.prefill),
        )
