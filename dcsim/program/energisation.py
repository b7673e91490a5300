"""Racks and grid that have no power yet at t = 0 of a run: the plant without them, and gangs that lie there wait."""

import numpy as np

from dcsim.plant.changes import lose_part, switch_racks
from dcsim.plant.state import as_arrays, shown
from dcsim.plant.tables import CHANGING_PLANT, PLANT_TABLES, SITE_FEED
from dcsim.program import records
from dcsim.program.records import FREE, NONE, OUT, Tables
from dcsim.scenario import Plan


class Energisation:
    """The plant at t = 0, by which phases come later; worked out once for all runs of which that is so."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.at_start: dict[tuple[bool, ...], Tables] = {}

    def begin(self, tables: Tables, replication: int) -> None:
        """Darken what has no power at t = 0 of a run; ``tables`` are those of a run in which all of it has."""
        if not self.plan.scenario.energisation:
            return
        dates = self.plan.dates(replication)
        tables["phases"]["date"] = dates
        late = tuple(date > 0 for date in dates)
        if late not in self.at_start:
            self.at_start[late] = self._without(late, tables)
        for name, table in self.at_start[late].items():
            np.copyto(tables[name], table)
        self._take_out(tables)

    def _without(self, late: tuple[bool, ...], tables: Tables) -> Tables:
        plant = shown({name: tables[name].copy() for name in PLANT_TABLES})
        for is_late, racks in zip(late, self.plan.phase_racks, strict=True):
            if is_late and racks[1]:
                switch_racks(plant, *racks, 1)
            elif is_late:
                for feed in range(plant.plant.site_feeds):
                    lose_part(plant, SITE_FEED, feed, 0.0)
        return {**{name: vars(plant)[name] for name in CHANGING_PLANT}, "plant": as_arrays(plant)}

    def _take_out(self, tables: Tables) -> None:
        """Take what has no power out of service; gangs that lie on it give up their places and wait."""
        owner, gangs, one = tables["owner"], tables["gangs"], tables["one"]
        per_node, down = int(one["node"][0]), np.flatnonzero(tables["down"])
        dark = (down[:, None] * per_node + np.arange(per_node)).ravel()
        if not len(dark):
            return
        for gang in np.unique(owner[dark]).tolist():
            if gang < 0:
                continue
            owner[owner == gang] = FREE
            line = gangs[gang]
            one["free"] += line["up"]
            line["phase"], line["up"], line["active"], line["started"], line["late"] = records.ABSENT, 0, 0, 0, 1
        owner[dark] = OUT
        one["free"] -= len(dark) * one["atom"]
        tables["whose"][dark] = FREE
        tables["next_place"][dark] = np.append(dark[1:], NONE)
        tables["absences"][0] = (dark[0], dark[-1], 0, 0, records.IN_UNPOWERED, 0, NONE, NONE)
        one["absences"], one["first_absence"], one["last_absence"] = 1, 0, 0
