"""What happens in a cluster, once: functions on named records, one for each rule.

**Records.** A run is a ``World`` (``dcsim.program.records``): tables of named columns, one row for each gang, hazard,
component, failure, repair, window and absence, and ``one`` for single numbers. ``w.gangs[g].up -= hit`` is the whole
of the language. Rows are numbers; lists within tables are links (``following``, ``next_place``), so that nothing is
allocated while a run is played. A table that must grow does so by ``ask(w, MAKE_ROOM, ...)``; a record of it that was
read before is stale then, so rules read records after they have made room.

**Rules.** A rule takes the world, rows and the time [ms], changes records, and says what follows by ``push``. It owns
no loop. Where does it stand? ``failures`` what fails, and whom it strikes; ``detection`` what is found, and what is
blamed; ``repairs`` stages, crews and the return; ``shifts`` when crews work, and visits; ``queue`` who waits;
``allocation`` spares, service, pre-emption, start and end of gangs, time limits; ``stops`` what gangs do beforehand;
``gangs`` and ``work`` what a gang has done, loses and must still do; ``strategy`` what its strategy says; ``ageing``
clocks and states of components; ``movements`` and ``network`` what follows when GPUs change hands or gangs stop;
``traffic`` what gangs ask of uplinks; ``places`` who has which; ``plant``, ``storage``, ``maintenance``; ``booking``
and ``closing`` the ledger; ``alone`` failures that are over before anything else happens, ``returns`` groups of which a
row is all that is to be known. "A repaired GPU returns" is ``repairs.come_back``, and ``returns.group_is_back`` for
such groups. What is left of power, cooling and network, and which nodes are down, say the rules of ``dcsim.plant``
(``changes``, ``network``, ``supply``); formulas of one number stand in ``dcsim.fabric``. They lie lower because closed
forms and ``topology show`` ask them, too; ``rules.plant`` and ``rules.traffic`` make them rules.

**Due events.** ``due`` is a heap of (tick, number of the entry, kind, what, further). A tick is one of the
``records.TICKS`` parts of a millisecond: repairs end first, then work and transfers, maintenance and dates, drains,
stops of gangs, identifications, gangs that leave detection, what asks for a crew, visits of crews, service of waiting
gangs, relapses, what gangs do about announced failures and the ends of their time, windows that open, and failures
last (docs/model.md, "Ties"). Within a tick what was pushed first comes first. An entry that has become void is not
taken out: the rule that it calls finds that out (a gang that finishes at another time, a transfer of an earlier turn).
Failures that are known beforehand, failures of ageing components and windows have lists of their own, ordered by time,
hazard and component. ``happenings.happen`` is the table from kinds to rules.

**Clocks.** Whoever owns the loop takes the next entry and calls ``happen``. The compiled clock
(``dcsim.engine.compiled_clock``) calls ``happenings.run``, compiled by numba, for one run after the other. Without
numba it calls the same function as plain Python, on rows that are objects. A clock of processes takes entries from
``due`` as they are pushed, and wakes a process for each.

**Asking Python.** ``ask(w, what, about, value)`` calls ``Runs.answer`` at once and comes back with an integer, from
plain and from compiled rules alike (there through a C function). Draws are asked for by the block: lives of a hazard,
outcomes of failures that were not known, chances of a gang. Answers write only to tables that no rule writes to.

**Booking.** Every GPU-millisecond passes ``booking.book`` or ``book_amount``, with who, state, the hazard it follows
from, and from when to when: a ledger by month or by hazard is a change of that one function.

**Compiling.** Rules are restricted to what numba compiles without Python: numbers, records, loops, ``min`` and
``max``, no recursion, annotated with ``World``, ``int``, ``float`` and ``bool``. Fractions are added up in loops:
``sum`` rounds otherwise from Python 3.12 on. Whole numbers are int64: products of GPU-ms and parts per billion are
split (``booking.times_speed``). Each rule is translated by itself, and all are optimised together, once for every
program and once for those of which much is known (``dcsim.engine.compiled_rules``).

**Random numbers.** ``random_numbers`` alone makes some, for ``draws``, numpy's bit for bit where that is proven on the
machine at hand (``dcsim.engine.compiled_draws``). All others are asked for.
"""
