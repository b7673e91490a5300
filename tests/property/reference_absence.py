"""The reference's absences: GPUs that leave because the plant does not serve their node, and come back with it."""

from tests.property.reference_objects import Gpu, Phase
from tests.property.reference_world import World


class Absence(World):
    """What follows when the plant changes."""

    def forget(self, gpus: list[Gpu], out: bool) -> None:
        """Note that GPUs left their gang, ``out`` of service by a strike or a blame; see ``Failures``."""
        raise TypeError("a world without failures")

    def be_absent(self, gpus: list[Gpu], booked: str) -> None:
        """Let GPUs be out until their node is up."""
        for gpu in gpus:
            gpu.condition, gpu.booked = "absent", booked

    def give_back(self, gpus: list[Gpu]) -> list[Gpu]:
        """End the repair or the window of GPUs: return those that are free; the others are absent."""
        down = self.down()
        for gpu in gpus:
            if gpu in down:
                self.be_absent([gpu], gpu.condition)
            else:
                gpu.condition, gpu.struck_in = "up", None
        return [gpu for gpu in gpus if gpu.condition == "up"]

    def come_due(self) -> bool:
        """Let the first phase come whose date it is; it waits if its power would take anybody down."""
        for phase in self.phases:
            if phase.date == self.now and not phase.due:
                phase.due = True
                if self.energise(phase):
                    self.give_power()
                return True
        return False

    def energise(self, phase: Phase) -> bool:
        """Give power to a phase, unless that takes a node down that is up; the grid's always comes."""
        before, phase.dark = self.down(), False
        if phase.racks and any(gpu not in before for gpu in self.down()):
            phase.dark = True
        else:
            self.plant_changed()
        return not phase.dark

    def give_power(self) -> None:
        """Try all phases that wait, in order of listing, again after each that has got power."""
        while any(self.energise(phase) for phase in self.phases if phase.due and phase.dark):
            pass

    def plant_changed(self) -> None:
        """Let absent GPUs return whose node is up; nobody goes down but by a failure or a window."""
        down = self.down()
        for gpu in self.gpus:
            if gpu.condition in ("absent", "unpowered") and gpu not in down:
                gpu.condition, gpu.struck_in = "up", None
        assert not any(gpu.condition == "up" for gpu in down)
