"""What a job's strategy says, read from its tables: what is written, safe and lost, and with how many it runs."""

from dcsim.program.records import LEVEL
from dcsim.program.world import World
from dcsim.rules.rule import ask, rule


@rule
def copied(w: World, job: int, run: int, down_to: int) -> tuple[int, int]:
    """Return the computing in a finished copy of tier ``down_to`` or a slower one, and what of ``run`` ms is left.

    The tier's periods are those of ``recovery.timetable.levels``. Inside the write of a slower tier nothing is left.
    """
    safe, rest = 0, run
    for number in range(w.jobs[job].tiers - down_to):
        level = w.tiers[job, number]
        period, most = level.level_period, level.level_most
        done = int(float(rest) * level.level_rate)  # right or one off; a division takes longer
        rest -= done * period
        if rest < 0:
            done -= 1
            rest += period
        elif rest >= period:
            done += 1
            rest -= period
        if most >= 0:  # the last one is followed by the slower tier's write
            if done >= most:
                rest = 0
            done = min(done, most)
        safe += done * level.level_every
    return safe, rest


@rule
def blocked(w: World, job: int, run: int) -> int:
    """Return the ms of writes in the first ``run`` ms of a stretch."""
    safe, rest = copied(w, job, run, 0)
    return written(w, job, run, safe, rest)


@rule
def written(w: World, job: int, run: int, safe: int, rest: int) -> int:
    """Return the ms of writes in the first ``run`` ms of a stretch; ``safe``, ``rest``: as ``copied`` says."""
    if not w.jobs[job].tiers:
        return 0
    return int(run - safe - rest + max(0, rest - w.tiers[job, 0].every))


@rule
def safe_in(w: World, job: int, tier: int, run: int) -> int:
    """Return the ms of computing that are safe in a tier after ``run`` ms: its write ended at least its drain ago."""
    return copied(w, job, max(0, run - w.tiers[job, tier].drain), tier)[0]


@rule
def wall(w: World, job: int, work: int) -> int:
    """Return the least ms of a stretch in which ``work`` ms are computed: the writes before its last ms are in it."""
    before, total = work - (1 if work > 0 else 0), work
    for number in range(w.jobs[job].tiers):
        tier = w.tiers[job, number]
        total += before // tier.every * tier.write
    return int(total)


@rule
def level(w: World, gang: int, struck: int, uncovered: bool) -> int:
    """Return the tier to roll back to when this many members are struck; NONE: nothing is rolled back."""
    job = w.jobs[w.gangs[gang].job]
    if struck >= job.levels:
        return ask(w, LEVEL, w.gangs[gang].job, 2 * struck + (1 if uncovered else 0))
    return int(w.level_of[job.first_level + 2 * struck + (1 if uncovered else 0)])


@rule
def largest_shape(w: World, gang: int) -> int:
    """Return the GPUs of the largest shape that the members up allow; 0: none."""
    g = w.gangs[gang]
    first = w.jobs[g.job].first_legal
    if first < 0:
        return int(g.gpus if g.up >= g.gpus else 0)
    return int(w.legal_of[first + g.up])
