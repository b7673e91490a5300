"""What the strategies answer, computed from their keys alone: no call into ``dcsim.recovery``.

A stretch is walked from write to write as a gang would live it; the engines compute the same from closed forms.
"""

import copy
import math
from dataclasses import dataclass, field

from dcsim.recovery import Recovery


@dataclass(frozen=True)
class Copies:
    """One place that checkpoints go to [ms; GPUs]."""

    every: int
    write: int
    drain: int
    restore: int
    survives: int | None


def tiers_of(recovery: Recovery) -> list[Copies]:
    """List the tiers, fast to slow; none if the strategy never writes."""
    if recovery.kind == "tiered-checkpoint":
        return [Copies(each.every, each.write, each.drain, each.restore, each.survives) for each in recovery.tiers]
    if recovery.kind == "stateless" or recovery.checkpoint_every is None:
        return []
    drain = recovery.checkpoint_drain if recovery.kind == "async-checkpoint" else 0
    return [Copies(recovery.checkpoint_every, recovery.checkpoint_write, drain, recovery.restore, None)]


def always_rolls_back(recovery: Recovery) -> bool:
    """Whether every strike costs the work since some checkpoint."""
    return recovery.kind in ("checkpoint-restart", "async-checkpoint", "tiered-checkpoint")


def level_of(recovery: Recovery, struck: int, uncovered: bool) -> int:
    """-1: everything is kept; else the fastest tier that is left."""
    if recovery.kind == "tiered-checkpoint":
        return next(i for i, tier in enumerate(recovery.tiers) if tier.survives is None or struck <= tier.survives)
    if always_rolls_back(recovery):
        return 0
    if recovery.kind == "stateless":
        return -1
    if recovery.kind == "checkpointless" and recovery.survives is not None and struck > recovery.survives:
        return 0
    return 0 if uncovered else -1


def may_roll_back(recovery: Recovery, covered: float) -> bool:
    """Whether a strike may cost the work since a checkpoint, if this share of the hazard's is covered."""
    if always_rolls_back(recovery):
        return True
    survives = recovery.survives if recovery.kind == "checkpointless" else None
    return recovery.kind != "stateless" and (survives is not None or recovery.coverage < 1 or covered < 1)


def saves(tiers: list[Copies]) -> int:
    """From the begin of a write to the slowest tier until it is safe [ms]."""
    return tiers[-1].write + tiers[-1].drain


def step_of(recovery: Recovery) -> int:
    """Work that a strike without rollback costs [ms]."""
    return recovery.step if recovery.kind == "elastic" else 0


def rejoin_of(recovery: Recovery) -> int:
    """Stall of an elastic gang that becomes larger [ms]."""
    return recovery.failover if recovery.rejoin is None else recovery.rejoin


def legal_size(recovery: Recovery, up: int, gpus: int) -> int:
    """With how many GPUs a gang of ``gpus`` runs while ``up`` are up; 0: not at all."""
    if recovery.kind != "elastic":
        return gpus if up >= gpus else 0
    shapes = recovery.shapes or range(1, gpus // recovery.group + 1)
    return max((shape * recovery.group for shape in shapes if shape * recovery.group <= up), default=0)


def attempt_ms(recovery: Recovery, restore: int, gpus: int) -> int:
    """One attempt at a restore: longer by ``restore_per_doubling`` for each doubling beyond ``restore_gpus``."""
    if gpus > recovery.restore_gpus:
        restore += round(recovery.restore_per_doubling * math.log2(gpus / recovery.restore_gpus))
    return restore


def start_ms(recovery: Recovery, gpus: int) -> int:
    """One attempt at a first start: from the slowest tier, else as ``restore`` says."""
    tiers = tiers_of(recovery)
    return attempt_ms(recovery, tiers[-1].restore if tiers else recovery.restore, gpus)


def restore_ms(recovery: Recovery, level: int, gpus: int) -> int:
    """One attempt at the restore after a rollback to tier ``level``, -1 for none."""
    if recovery.kind == "stateless":
        return start_ms(recovery, gpus)
    return attempt_ms(recovery, tiers_of(recovery)[level].restore, gpus) if level >= 0 else 0


def useful_ppb(recovery: Recovery) -> int:
    """Parts per billion of surviving work that are useful."""
    return 10**9 - round((recovery.network_overhead + recovery.memory_overhead) * 10**9)


def in_a_row(drawn: float, chance: float) -> int:
    """How often something of this chance happens before it does not; ``drawn`` is uniform in [0, 1)."""
    return 0 if chance == 0 else min(1000, math.floor(math.log(1 - drawn) / math.log(chance)))


@dataclass
class Stretch:
    """What one gang does from a resume on: computes, and writes after each interval of the fastest tier."""

    tiers: list[Copies]
    run: int = 0
    computed: int = 0
    writes: list[tuple[int, int]] = field(default_factory=list)  # (tier, ms left), under way or next
    copies: list[tuple[int, int, int]] = field(default_factory=list)  # (tier, computed, durable from this ``run`` on)
    gateways: bool = False  # whether a write that blocks goes to the slowest tier through the storage gateways
    speed: int = 10**9  # parts per billion of its speed alone that such a write has now
    moved: int = 0  # of the write under way, ms alone in parts per billion

    def walk(self, ms: int) -> tuple[int, int]:
        """Go on for ``ms``; return how many of them were computing and how many writing."""
        computing = writing = 0
        while ms:
            if self.writes:
                tier, left = self.writes[0]
                if self.transfers():
                    jump = min(ms, self.transfer_ends_in())
                    self.moved += jump * self.speed
                    if self.moved >= left * 10**9:
                        self.writes[0], self.moved = (tier, 0), 0
                else:
                    jump = min(ms, left)
                    self.writes[0] = (tier, left - jump)
                self.run, writing = self.run + jump, writing + jump
            else:
                jump = min(ms, self.until_write()) if self.tiers else ms
                self.run, self.computed, computing = self.run + jump, self.computed + jump, computing + jump
                if self.tiers and self.computed % self.tiers[0].every == 0:
                    due = [i for i, tier in enumerate(self.tiers) if self.computed % tier.every == 0]
                    self.writes = [(i, self.tiers[i].write) for i in due]
            while self.writes and self.writes[0][1] == 0:
                tier, _ = self.writes.pop(0)
                self.copies.append((tier, self.computed, self.run + self.tiers[tier].drain))
            ms -= jump
        return computing, writing

    def transfers(self) -> bool:
        """Whether it writes through the storage gateways now."""
        return self.gateways and bool(self.writes) and self.writes[0][0] == len(self.tiers) - 1

    def transfer_ends_in(self) -> int:
        """Ms until the write through the gateways is over at its speed now; more than any horizon at speed 0."""
        missing = self.writes[0][1] * 10**9 - self.moved
        return -(-missing // self.speed) if self.speed else 10**18

    def until_write(self) -> int:
        """Ms of computing until the next write is due."""
        every = self.tiers[0].every
        return every - self.computed % every

    def durable(self, tier: int) -> int:
        """Ms of this stretch's computing that are safe in a tier."""
        return max((done for which, done, since in self.copies if which == tier and since <= self.run), default=0)

    def wall(self, work: int) -> int:
        """Ms from now until ``work`` more ms are computed."""
        ahead, ms = copy.deepcopy(self), 0
        while work:
            jump = ahead.writes[0][1] if ahead.writes else min(work, ahead.until_write() if self.tiers else work)
            work -= ahead.walk(jump)[0]
            ms += jump
        return ms
