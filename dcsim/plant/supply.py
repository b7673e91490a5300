"""What is left of power and cooling against demand: rules on the tables of a plant (docs/model.md, 8.1).

Sums are loops in the order of the components, so that they round alike in every version of Python.
"""

from dcsim.plant.left import left_of, reaches
from dcsim.plant.tables import BUSWAY, CDU, FEED, GENERATOR, NONE, PSU, SHELF, SITE_FEED, PlantTables


def pool_share(given_w: float, demand_w: float) -> float:
    """Return supply over demand, at most 1; 1 where nothing is demanded. Both [W]."""
    return given_w / demand_w if demand_w > given_w else 1.0


def supply_share(w: PlantTables, unit: int) -> float:
    """Return what the shelves of a rack (or node) give, as a share of its demand.

    Shelf i hangs on feed i mod feeds, by the busway of its row if there are any. Redundancy (N+N, N+k) is what the
    capacity leaves over.
    """
    p = w.plant
    rack = unit // p.rack_nodes if p.per_node else unit
    first_feed, first_busway = rack // p.hall_racks * p.feeds, rack // p.row_racks * p.feeds
    given, feed = 0.0, 0
    for shelf in range(unit * p.shelves, (unit + 1) * p.shelves):
        psus = float(p.psus)
        if w.plant_kinds[PSU].first >= 0:
            psus = 0.0
            for psu in range(shelf * p.psus, (shelf + 1) * p.psus):
                psus += left_of(w, PSU, psu)
        carries = left_of(w, FEED, first_feed + feed)
        if p.busways:
            carries *= left_of(w, BUSWAY, first_busway + feed)
        given += psus * left_of(w, SHELF, shelf) * carries
        feed += 1
        if feed == p.feeds:
            feed = 0
    return pool_share(given * p.psu, w.unit_w[unit])


def hall_share(w: PlantTables, hall: int) -> float:
    """Return what the feeds of a hall carry, as a share of what its racks ask for."""
    p, given = w.plant, 0.0
    if not p.has_feed:
        return 1.0
    for feed in range(hall * p.feeds, (hall + 1) * p.feeds):
        given += left_of(w, FEED, feed)
    return pool_share(given * p.feed, w.hall_w[hall])


def site_share(w: PlantTables) -> float:
    """Return what feeds and generators give, as a share of what the site asks for."""
    p, feeds, generators = w.plant, 0.0, 0.0
    if not p.has_site:
        return 1.0
    for feed in range(p.site_feeds):
        feeds += left_of(w, SITE_FEED, feed)
    for generator in range(p.generators):
        generators += left_of(w, GENERATOR, generator)
    return pool_share(feeds * p.site_feed + generators * p.generator, p.asked)


def ask_for_power(w: PlantTables) -> None:
    """Add up what racks that are energised ask of their hall and of the site, with switches, losses and cooling."""
    p, total = w.plant, 0.0
    for hall in range(p.halls):
        asked = 0.0
        for rack in range(hall * p.hall_racks, min((hall + 1) * p.hall_racks, p.racks)):
            if not w.dark[rack]:
                asked += w.rack_w[rack]
                total += w.rack_w[rack]
        w.hall_w[hall] = asked
    p.asked = (total + p.switches_w) * p.pue


def note_share(w: PlantTables, before: float, share: float) -> float:
    """Note that a share of power or cooling has changed, and return it."""
    if share != before:
        p = w.plant
        p.short += (1 if share < 1 else 0) - (1 if before < 1 else 0)
        p.short_of_power = 1
    return share


def trips(share: float, below: float) -> bool:
    """Whether a node leaves service with this share of power or cooling."""
    return share < below or share <= 0


def evaluate_racks(w: PlantTables, first: int, end: int) -> None:
    """Find out what the shelves of racks give."""
    per = w.plant.rack_nodes if w.plant.per_node else 1
    evaluate_units(w, first * per, min(end * per, w.plant.units))


def evaluate_units(w: PlantTables, first: int, end: int) -> None:
    """Find out what the shelves of racks (or nodes) give."""
    p, low, high = w.plant, NONE, NONE
    for unit in range(first, end):
        before = w.supply[unit]
        share = supply_share(w, unit)
        w.supply[unit] = note_share(w, before, share)
        if trips(share, p.trips) != trips(before, p.trips):
            low = unit if low < 0 else low
            high = unit + 1
    if low >= 0:
        per = 1 if p.per_node else p.rack_nodes
        reaches(w, low * per, min(high * per, p.nodes))


def evaluate_hall(w: PlantTables, hall: int) -> None:
    """Find out what the feeds of a hall carry."""
    p, before, share = w.plant, w.hall[hall], hall_share(w, hall)
    w.hall[hall] = note_share(w, before, share)
    if trips(share, p.trips) != trips(before, p.trips):
        per = p.hall_racks * p.rack_nodes
        reaches(w, hall * per, min((hall + 1) * per, p.nodes))


def evaluate_site(w: PlantTables) -> None:
    """Find out what the site has."""
    p, before, share = w.plant, w.plant.site, site_share(w)
    p.site = note_share(w, before, share)
    if trips(share, p.trips) != trips(before, p.trips):
        reaches(w, 0, p.nodes)


def parent_share(w: PlantTables, kind: int, parent: int) -> float:
    """Return what the parts of a kind leave their parent, as the rule of that kind has found it."""
    first = w.plant_kinds[kind].first_parent
    return float(w.of_parent[first + parent]) if w.plant_kinds[kind].first >= 0 else 1.0


def evaluate_cooling(w: PlantTables, kind: int, parent: int, share: float, first_rack: int, end_rack: int) -> None:
    """The parts of a kind leave their parent this share of its cooling, which serves these racks."""
    p, at = w.plant, w.plant_kinds[kind].first_parent + parent
    before = w.of_parent[at]
    w.of_parent[at] = note_share(w, before, share)
    if trips(share, p.cooling_trips) != trips(before, p.cooling_trips):
        reaches(w, first_rack * p.rack_nodes, min(end_rack * p.rack_nodes, p.nodes))


def cooling_of(w: PlantTables, rack: int) -> float:
    """Return the share of its cooling that a rack has: the worst of what each kind of part leaves it."""
    return parent_share(w, CDU, rack // w.plant.row_racks)


def row_share(w: PlantTables, row: int) -> float:
    """Return what the CDUs of a row cool: the share of those needed that are alive, at most 1."""
    p, alive = w.plant, 0.0
    for cdu in range(row * p.cdus, (row + 1) * p.cdus):
        alive += left_of(w, CDU, cdu)
    return float(min(1.0, alive / p.needed))


def power_of(w: PlantTables, unit: int) -> float:
    """Return the share of full power (and cooling) that a rack gets, or a node where shelves supply nodes."""
    p = w.plant
    rack = unit // p.rack_nodes if p.per_node else unit
    share = p.site
    if p.has_power:
        share = min(share, w.supply[unit], w.hall[rack // p.hall_racks])
    if p.has_cooling:
        share = min(share, cooling_of(w, rack))
    return float(share)
