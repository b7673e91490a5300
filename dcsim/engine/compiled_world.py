"""What a ``World`` is to numba: one pointer, from which each table is reached by name.

Passing some forty arrays would cost every call and every compilation dearly. A rule reads ``w.gangs`` alike in Python
and here; only ``ask`` has another body: it calls a C function that Python gave, at once and without leaving the loop.
"""

from inspect import Parameter, Signature
from typing import Any, get_args, get_type_hints

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from dcsim.program.records import DOORS, NAMES, TABLE, TABLES, World

WORD = ir.IntType(64)


class WorldType(types.Type):  # type: ignore[misc]
    """A pointer to ``World.addresses``."""

    def __init__(self) -> None:
        super().__init__(name="World")


WORLD = WorldType()
register_model(WorldType)(models.OpaqueModel)


def table_type(name: str) -> Any:
    """Return numba's type of a table: a record, or an array of records or numbers."""
    dtype, indices = TABLES[name]
    of = from_dtype(dtype)
    return types.Array(of, indices, "C") if indices else of


TYPES = {name: table_type(name) for name in NAMES}


@infer_getattr
class WorldAttributes(AttributeTemplate):  # type: ignore[misc]
    """The tables of a world are its attributes."""

    key = WorldType

    def generic_resolve(self, world: Any, name: str) -> Any:
        """Return the type of a table."""
        return TYPES.get(name)


def _word(builder: Any, world: Any, place: int) -> Any:
    words = builder.bitcast(world, WORD.as_pointer())
    return builder.load(cgutils.gep_inbounds(builder, words, place))


@lower_getattr_generic(WorldType)  # type: ignore[untyped-decorator]
def _table(context: Any, builder: Any, world_type: Any, world: Any, name: str) -> Any:
    """Emit what reads a table's address and size."""
    dtype, indices = TABLES[name]
    place, kind = 3 * TABLE[name], TYPES[name]
    address = _word(builder, world, place)
    if not indices:
        return builder.inttoptr(address, context.get_value_type(kind))
    array = make_array(kind)(context, builder)
    size = context.get_constant(types.intp, dtype.itemsize)
    shape, strides = [_word(builder, world, place + 1)], [size]
    if indices == 2:
        shape.append(_word(builder, world, place + 2))
        strides = [builder.mul(shape[1], size), size]
    data = builder.inttoptr(address, array.data.type)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()


@intrinsic  # type: ignore[untyped-decorator]
def ask_python(typing: Any, world: Any, what: Any, about: Any, value: Any) -> Any:
    """Call the C function that answers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = ir.FunctionType(WORD, [WORD] * 3).as_pointer()
        answer = builder.inttoptr(_word(builder, arguments[0], DOORS - 1), function)
        return builder.call(answer, arguments[1:])

    return types.int64(world, types.int64, types.int64, types.int64), generate


def call_through(door: int, sign: Any) -> Any:
    """Return what calls a rule of this signature through the address at this place behind those of the tables."""

    def call(typing: Any, *arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            takes = [context.get_value_type(each) for each in sign.args]
            function = ir.FunctionType(context.get_value_type(sign.return_type), takes).as_pointer()
            address = _word(builder, values[0], DOORS + door)
            return builder.call(builder.inttoptr(address, function), values)

        return sign, generate

    names = ["typing", *(f"argument_{number}" for number in range(len(sign.args)))]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = Signature([Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    return intrinsic(call)


def signature(rule: Any) -> Any:
    """Return numba's signature of a rule: what its annotations say."""
    hints = get_type_hints(rule)
    result = hints.pop("return")
    results = get_args(result)
    kind = types.UniTuple(KINDS[results[0]], len(results)) if results else KINDS[result]
    return kind(*(KINDS[hint] for hint in hints.values()))


KINDS: dict[Any, Any] = {
    World: WORLD,
    int: types.int64,
    float: types.float64,
    bool: types.boolean,
    type(None): types.none,
}
