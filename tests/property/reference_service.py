"""The reference's gangs: strikes on them, service, pre-emption, stalls, maintenance, finish."""

from dcsim.parts import PARTS
from tests.property import reference_strategy as strategy
from tests.property.reference_objects import BILLION, WHOLE, Gang, Gpu, Window
from tests.property.reference_stops import Stops


class Service(Stops):
    """What happens to gangs."""

    # --- strikes

    def strike_gang(self, gang: Gang, members: int, until: int, covered: float, at_least: int = -1) -> None:
        """Strike a gang: roll back, then detect at least until ``until``; ``covered``: share of such strikes."""
        recovery = gang.recovery
        cover, bad, again = (float(chance) for chance in gang.chances.random(3))
        self.strikes_on[gang.plan.job] += 1
        gang.struck += members
        gang.ever_struck = True
        gang.failed_restores = strategy.in_a_row(again, 1 - recovery.restore_success)
        level = max(at_least, strategy.level_of(recovery, gang.struck, cover >= recovery.coverage * covered))
        self.interrupt(gang, level, strategy.in_a_row(bad, recovery.bad_checkpoint))
        gang.until = max(until, gang.until if gang.phase == "detect" else 0)
        gang.phase = "detect"

    def run_short(self, gang: Gang) -> None:
        """Send a gang to wait; the moment it first ran short stays until it is whole."""
        gang.phase = "wait"
        if gang.short_since is None and not gang.kept:
            gang.short_since = self.now

    # --- service

    def legal(self, gang: Gang) -> int:
        """With how many GPUs a gang could run now."""
        return strategy.legal_size(gang.recovery, len(self.members(gang)), gang.plan.gpus)

    def queues(self, gang: Gang) -> bool:
        """Whether a gang waits for hardware: all that wait, and elastic ones that are not whole."""
        if gang.kept:
            return False
        short = len(self.members(gang)) < gang.plan.gpus or gang.active < gang.plan.gpus
        return gang.phase == "wait" or (gang.phase in WHOLE and short)

    def in_repair(self, gpu: Gpu) -> bool:
        """Whether a GPU is out because something failed."""
        return gpu.condition in ("struck", "repair") or (gpu.condition == "absent" and gpu.booked == "repair")

    def missing(self, gang: Gang, rack: int | None = None) -> int:
        """GPUs (of a rack) the gang may take now; a cold one leaves a place for each of its own that is out."""
        out = [gpu for gpu in self.gpus if gpu.struck_in is gang and self.in_repair(gpu)]
        counted = [gpu for gpu in out if gang.recovery.spare == "cold" and not gpu.gone] + self.members(gang)
        if rack is None:
            return max(0, gang.plan.gpus - len(counted))
        return max(0, gang.home.get(rack, 0) - sum(gpu.index // self.per_rack == rack for gpu in counted))

    def take(self, gang: Gang, offered: list[Gpu]) -> None:
        """Give a gang what it may take of free GPUs, lowest indices first."""
        if not self.in_rack:
            for gpu in offered[: self.missing(gang)]:
                gpu.gang = gang
            return
        for rack in gang.home:
            own = [gpu for gpu in offered if gpu.index // self.per_rack == rack]
            for gpu in own[: self.missing(gang, rack)]:
                gpu.gang = gang

    def serve(self) -> None:
        """Give free GPUs, then those of lower gangs, to the waiting gangs in their order."""
        served: list[Gang] = []
        while queue := [gang for gang in self.gangs if self.queues(gang) and gang not in served]:
            head = min(queue, key=lambda gang: (-gang.plan.priority, gang.short_since, gang.plan.index))
            served.append(head)
            self.take(head, self.members(None))
            lower = [gang for gang in self.gangs if gang.plan.priority < head.plan.priority]
            for loser in sorted(lower, key=lambda gang: (gang.plan.priority, -gang.plan.index)):
                if not self.in_rack:
                    self.preempt(loser, head)
            if len(self.members(head)) == head.plan.gpus:
                head.short_since = None
            if head.phase == "wait" and self.legal(head):
                self.start(head)
            elif head.phase in WHOLE and self.legal(head) > head.active:
                self.grow(head)

    def preempt(self, loser: Gang, winner: Gang) -> None:
        """Move what the winner still misses from the loser, highest indices first."""
        missing = self.missing(winner)
        taken = self.members(loser)[-missing:] if missing > 0 else []
        if not taken:
            return
        self.forget(taken, out=False)
        for gpu in taken:
            gpu.gang = winner
        loser.struck += len(taken)
        loser.failed_restores = 0
        self.interrupt(loser, strategy.level_of(loser.recovery, loser.struck, uncovered=False))
        if loser.phase in (*WHOLE, "drain", "save", "check"):
            self.run_short(loser)

    def start(self, gang: Gang) -> None:
        """Begin the stall of a gang that has enough GPUs, unless its time is over."""
        if self.is_over(gang):
            self.go_back(gang)
            return
        self.begin_time(gang)
        preflight = self.scenario.jobs[gang.plan.job].preflight
        if preflight is not None and any(gpu not in gang.passed for gpu in self.members(gang)):
            gang.phase, gang.until = "check", self.now + preflight.time
            self.saving = [each for each in self.saving if each is not gang] + [gang]
            return
        self.set_out(gang)

    def set_out(self, gang: Gang) -> None:
        """Begin the stall of a gang whose members need no check."""
        gang.passed = set()
        recovery, size = gang.recovery, gang.plan.gpus
        if gang.has_run:
            failover, attempt = recovery.failover, strategy.restore_ms(recovery, gang.deepest, size)
        else:
            failover, attempt = recovery.failover * gang.ever_struck, strategy.start_ms(recovery, size)
        gang.stall = (failover, attempt * (1 + gang.failed_restores))
        gang.load = self.load_of(gang) * (1 + gang.failed_restores)
        self.stall(gang)

    def grow(self, gang: Gang) -> None:
        """Let an elastic gang go on with more GPUs: a running one rejoins, a stall begins anew."""
        if gang.phase == "run":
            self.end_stretch(gang)
            gang.stall, gang.load = (strategy.rejoin_of(gang.recovery), 0), 0
        self.stall(gang)

    def stall(self, gang: Gang) -> None:
        """Go through failover, then restore, with as many GPUs as may run."""
        gang.phase, gang.until, gang.active = "failover", self.now + gang.stall[0], self.legal(gang)

    # --- what ends

    def end_phase(self) -> bool:
        """End the first phase that is due: finish, stalls, arrivals, maintenance, drains."""
        for gang in self.gangs:
            if gang.phase == "run" and gang.plan.work is not None and gang.useful >= gang.plan.work:
                self.end_stretch(gang)
                gang.phase, gang.finish = "finished", self.now
                self.forget(self.members(gang), out=False)
                for gpu in self.members(gang):
                    gpu.gang = None
                self.submit_after(gang.plan.job)
                return True
        for gang in self.gangs:
            if gang.phase == "failover" and gang.until == self.now:
                gang.phase, gang.until = "restore", self.now + gang.stall[1] - gang.load
                gang.loads = False
                return True
            if gang.phase == "restore" and gang.load and not gang.loads and gang.until == self.now:
                gang.loads, gang.moved = True, 0
                return True
            loaded = gang.moved >= gang.load * BILLION if gang.loads else gang.until == self.now
            if gang.phase == "restore" and loaded:
                self.resume(gang)
                return True
            if gang.phase == "absent" and gang.submit == self.now:
                self.run_short(gang)
                return True
        if self.come_due():
            return True
        for window in self.windows:
            if window.out and window.back == self.now:
                self.windows.remove(window)
                self.give_back(window.gpus)
                if window.maintenance.component in PARTS:
                    self.plant_changed()
                    self.give_power()
                return True
        for back, gpus in self.tested:
            if back == self.now:
                self.tested.remove((back, gpus))
                self.give_back(gpus)
                return True
        for window in self.windows:
            if not window.out and window.leaves == self.now:
                self.end_drain(window)
                return True
        return self.end_save()

    def submit_after(self, job: int) -> None:
        """Submit the gangs that come after a job, once all of its gangs have finished."""
        if any(gang.plan.job == job and gang.phase != "finished" for gang in self.gangs):
            return
        for gang in self.gangs:
            follower = self.scenario.jobs[gang.plan.job]
            if follower.after == self.scenario.jobs[job].name:
                gang.submit = max(self.now, follower.submit)

    def leave_detect(self) -> bool:
        """Send the first gang that has been identified completely to wait."""
        for gang in self.gangs:
            if gang.phase == "detect" and gang.until == self.now:
                self.run_short(gang)
                return True
        return False

    # --- maintenance

    def open_window(self, number: int, component: int) -> None:
        """Begin to drain the gangs on a component."""
        window = Window(self.scenario.maintenance[number], component, self.now)
        window.retest = self.retests.get((self.now, number, component), 0)
        kind = window.maintenance.component
        if kind in PARTS:
            gpus = [gpu for gpu in self.down(without=(kind, component)) if gpu.condition == "up"]
        else:
            gpus = self.standing(kind, component)
            if not gpus:
                return
        self.windows.append(window)
        for gang in self.gangs:
            if any(gpu.gang is gang for gpu in gpus) and gang.phase in (*WHOLE, "drain", "save", "check"):
                self.end_stretch(gang)
                gang.phase = "drain"
                gang.windows.append(window)

    def end_drain(self, window: Window) -> None:
        """Take a component out; gangs that drained for it have saved everything."""
        window.out, served = True, window.maintenance.component in PARTS
        gpus = self.standing(window.maintenance.component, window.component)
        if served:
            gpus = [gpu for gpu in self.down() if gpu.condition == "up"]
        for gang in self.gangs:
            drained = window in gang.windows
            if drained:
                gang.windows.remove(window)
            whole = gang.phase in (*WHOLE, "save", "check") and any(gpu.gang is gang for gpu in gpus)
            if whole or (drained and not gang.windows):
                self.end_stretch(gang)
                gang.durable = [gang.position] * len(gang.tiers)
                gang.deepest = max(gang.deepest, 0 if strategy.always_rolls_back(gang.recovery) else -1)
                gang.failed_restores = 0
                self.run_short(gang)
        self.forget(gpus, out=False)
        for gpu in gpus:
            gpu.condition, gpu.struck_in, gpu.gang = "maintenance", gpu.gang, None
        if served:
            self.be_absent(gpus, "maintenance")
            self.plant_changed()
            return
        window.gpus = gpus
        if not gpus:
            self.windows.remove(window)
