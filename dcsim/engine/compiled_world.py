"""What a ``World`` is to numba: one pointer, from which each table is reached by name.

Passing some forty arrays would cost every call and every compilation dearly. A rule reads ``w.gangs`` alike in Python
and here; only ``ask`` has another body: it calls a C function that Python gave, at once and without leaving the loop.
"""

from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature
from typing import Any, NamedTuple, get_args, get_type_hints

from dcsim.plant.tables import PlantTables
from dcsim.program.records import DOORS, GROWING, NAMES, TABLE, TABLES, World


class Compiled(NamedTuple):
    """What rules are compiled with."""

    signature: Callable[[Any], Any]
    """Rule -> numba's signature of it: what its annotations say."""
    ask: Any
    """In the place of ``rule.ask``: calls the C function that answers."""
    through: Callable[[int, Any], Any]
    """(door, signature) -> what calls a rule through the address at this place behind those of the tables."""


@cache
def compiled_world() -> Compiled:
    """Teach numba what a world is, once in a process."""
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba.core import cgutils, types
    from numba.core.imputils import lower_getattr_generic
    from numba.core.typing.templates import AttributeTemplate, infer_getattr
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array, populate_array
    from numba.np.numpy_support import from_dtype

    word = ir.IntType(64)
    a_world = types.Opaque("dcsim.World")
    kinds: dict[str, Any] = {}
    for name in NAMES:
        dtype, indices = TABLES[name]
        record = from_dtype(dtype)
        kinds[name] = types.Array(record, indices, "C") if indices else record

    @infer_getattr
    class _Tables(AttributeTemplate):  # type: ignore[misc]
        """The tables of a world are its attributes."""

        key = a_world

        def generic_resolve(self, world: Any, name: str) -> Any:
            return kinds.get(name)

    def word_at(builder: Any, world: Any, place: int, stays: bool) -> Any:
        words = builder.bitcast(world, word.as_pointer())
        found = builder.load(cgutils.gep_inbounds(builder, words, place))
        if stays:  # else it would be read again after whatever is written
            found.set_metadata("invariant.load", builder.module.add_metadata([]))
        return found

    @lower_getattr_generic(a_world)  # type: ignore[untyped-decorator]
    def _table(context: Any, builder: Any, world_type: Any, world: Any, name: str) -> Any:
        """Emit what reads a table's address and size."""
        dtype, indices = TABLES[name]
        place, kind = 3 * TABLE[name], kinds[name]
        stays = name not in GROWING
        address = word_at(builder, world, place, stays)
        if not indices:
            return builder.inttoptr(address, context.get_value_type(kind))
        array = make_array(kind)(context, builder)
        size = context.get_constant(types.intp, dtype.itemsize)
        shape, strides = [word_at(builder, world, place + 1, stays)], [size]
        if indices == 2:
            shape.append(word_at(builder, world, place + 2, stays))
            strides = [builder.mul(shape[1], size), size]
        data = builder.inttoptr(address, array.data.type)
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
        return array._getvalue()

    def through(door: int, sign: Any) -> Any:
        def call(typing: Any, *arguments: Any) -> Any:
            def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                takes = [context.get_value_type(each) for each in sign.args]
                function = ir.FunctionType(context.get_value_type(sign.return_type), takes).as_pointer()
                return builder.call(builder.inttoptr(word_at(builder, values[0], DOORS + door, True), function), values)

            return sign, emit

        names = ["typing", *(f"argument_{number}" for number in range(len(sign.args)))]
        takes = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        call.__signature__ = Signature(takes)  # type: ignore[attr-defined]
        return intrinsic(call)

    translated = {World: a_world, PlantTables: a_world, int: types.int64, float: types.float64, bool: types.boolean}
    translated[type(None)] = types.none

    def signature(rule: Any) -> Any:
        hints = get_type_hints(rule)
        result = hints.pop("return")
        several = get_args(result)
        kind = types.containers.UniTuple(translated[several[0]], len(several)) if several else translated[result]
        return kind(*(translated[hint] for hint in hints.values()))

    answers = types.int64(a_world, types.int64, types.int64, types.int64)
    return Compiled(signature, through(-1, answers), through)
