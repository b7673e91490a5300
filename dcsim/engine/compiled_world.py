"""What a ``World`` is to numba: one pointer, from which each table is reached by name.

Passing some forty arrays would cost every call and every compilation dearly. A rule reads ``w.gangs[gang].up`` alike in
Python and here. Two things make it quick here: no index counts from the end, and the compiler is told that two columns
never share memory, so that what was read stays known when something else is written. A rule calls another one by a
symbol of its name; the linker puts them together (``dcsim.engine.compiled_rules``). Only ``ask`` has another body: it
calls a C function that Python gave, at once and without leaving the loop.
"""

import operator
from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature
from typing import Any, NamedTuple, get_args, get_type_hints

from dcsim.ledger import STATES
from dcsim.plant.tables import PlantTables
from dcsim.program.records import ANSWERS, CHANGING, GROWING, STATES_WIDE, TABLE, TABLES
from dcsim.program.simple import COUNTED
from dcsim.program.world import World


class Compiled(NamedTuple):
    """What rules are compiled with."""

    signature: Callable[[Any], Any]
    """Rule -> numba's signature of it: what its annotations say."""
    special: dict[str, Any]
    """Rules of ``rule`` that have another body: ``ask`` calls the C function that answers, ``reset`` copies tables."""
    through: Callable[[str, Any], Any]
    """(name, signature) -> what calls a rule through the symbol of its name."""
    columns: Callable[[bool], Any]
    """Whether they keep their values -> LLVM's module of what reads and writes the columns of ``simple.COUNTED``."""


BROKEN = "dcsim.broken"
"""Symbol of a word that is not 0 once a column that was to keep its value has been given another one."""


def symbol(name: str) -> str:
    """Return the symbol of a rule."""
    return f"dcsim.{name}"


@cache
def compiled_world() -> Compiled:
    """Teach numba what a world is, once in a process."""
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba.core import cgutils, datamodel, types
    from numba.core.imputils import lower_builtin, lower_getattr_generic, lower_setattr_generic
    from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global
    from numba.core.typing.templates import signature as signed
    from numba.extending import intrinsic
    from numba.np.numpy_support import from_dtype

    word, byte = ir.IntType(64), ir.IntType(8)
    pointer = byte.as_pointer()
    a_world = types.Opaque("dcsim.World")

    class TableType(types.Opaque):
        """A table; its value is the world's."""

        def __init__(self, name: str) -> None:
            self.table = name
            self.dtype, self.indices = TABLES[name]
            super().__init__(f"dcsim.table.{name}")

    class RowType(types.Opaque):
        """A row of a table with columns; its value is its address."""

        def __init__(self, name: str) -> None:
            self.table = name
            self.dtype = TABLES[name][0]
            super().__init__(f"dcsim.row.{name}")

    for kind in (TableType, RowType):
        datamodel.register_default(kind)(datamodel.models.OpaqueModel)
    tables = {name: TableType(name) for name in TABLES}
    rows = {name: RowType(name) for name, (dtype, _) in TABLES.items() if dtype.names}
    items = {name: rows.get(name) or from_dtype(dtype) for name, (dtype, _) in TABLES.items()}

    # --- types ------------------------------------------------------------------------------------------------------

    @infer_getattr
    class _Tables(AttributeTemplate):  # type: ignore[misc]
        """The tables of a world are its attributes."""

        key = a_world

        def generic_resolve(self, world: Any, name: str) -> Any:
            return None if name not in TABLES else tables[name] if TABLES[name][1] else rows[name]

    @infer_getattr
    class _Shape(AttributeTemplate):  # type: ignore[misc]
        """The shape of a table."""

        key = TableType

        def resolve_shape(self, table: Any) -> Any:
            return types.containers.UniTuple(types.int64, table.indices)

    @infer_getattr
    class _Columns(AttributeTemplate):  # type: ignore[misc]
        """The columns of a row."""

        key = RowType

        def generic_resolve(self, row: Any, name: str) -> Any:
            return from_dtype(row.dtype[name]) if name in row.dtype.names else None

    def fits(table: Any, index: Any) -> bool:
        if not isinstance(table, TableType):
            return False
        if table.indices == 1:
            return isinstance(index, types.Integer)
        return isinstance(index, types.containers.BaseTuple) and len(index) == 2

    def index_of(table: Any) -> Any:
        return types.int64 if table.indices == 1 else types.containers.UniTuple(types.int64, 2)

    @infer_global(operator.getitem)
    class _Get(AbstractTemplate):  # type: ignore[misc]
        """A row, or a number."""

        def generic(self, args: Any, kws: Any) -> Any:
            table, index = args
            return signed(items[table.table], table, index_of(table)) if fits(table, index) else None

    @infer_global(operator.setitem)
    class _Set(AbstractTemplate):  # type: ignore[misc]
        """Numbers alone are set."""

        def generic(self, args: Any, kws: Any) -> Any:
            table, index, _ = args
            return signed(types.none, table, index_of(table), items[table.table]) if fits(table, index) else None

    @infer_global(len)
    class _Len(AbstractTemplate):  # type: ignore[misc]
        """Rows of a table."""

        def generic(self, args: Any, kws: Any) -> Any:
            return signed(types.int64, args[0]) if len(args) == 1 and isinstance(args[0], TableType) else None

    # --- code -------------------------------------------------------------------------------------------------------

    def marked(builder: Any, instruction: Any, column: str) -> Any:
        """Say that nothing but this column is read or written."""
        module = builder.module
        root = module.add_metadata(["dcsim"])
        kind = module.add_metadata([column, root, word(0)])
        instruction.set_metadata("tbaa", module.add_metadata([kind, kind, word(0)]))
        return instruction

    def word_at(builder: Any, world: Any, place: int, stays: bool) -> Any:
        words = builder.bitcast(world, word.as_pointer())
        found = marked(builder, builder.load(cgutils.gep_inbounds(builder, words, place)), "addresses")
        if stays:  # else it would be read again after whatever Python is asked
            found.set_metadata("invariant.load", module_note(builder))
        return found

    def module_note(builder: Any) -> Any:
        return builder.module.add_metadata([])

    def place_of(builder: Any, table: Any, world: Any, index: Any) -> Any:
        """Return the address of an item."""
        stays, place = table.table not in GROWING, 3 * TABLE[table.table]
        base = builder.inttoptr(word_at(builder, world, place, stays), pointer)
        number = index
        if table.indices == 2:
            first, second = (builder.extract_value(index, each) for each in range(2))
            wide = word(len(STATES)) if table.table in STATES_WIDE else word_at(builder, world, place + 2, stays)
            number = builder.add(builder.mul(first, wide, flags=["nsw"]), second, flags=["nsw"])
        return builder.gep(base, [builder.mul(number, word(table.dtype.itemsize), flags=["nsw"])], inbounds=True)

    def read(context: Any, builder: Any, kind: Any, address: Any, name: str) -> Any:
        place = builder.bitcast(address, context.get_data_type(kind).as_pointer())
        return context.data_model_manager[kind].from_data(builder, marked(builder, builder.load(place), name))

    def write(context: Any, builder: Any, kind: Any, address: Any, name: str, value: Any) -> None:
        place = builder.bitcast(address, context.get_data_type(kind).as_pointer())
        marked(builder, builder.store(context.data_model_manager[kind].as_data(builder, value), place), name)

    @lower_getattr_generic(a_world)  # type: ignore[untyped-decorator]
    def _table(context: Any, builder: Any, kind: Any, world: Any, name: str) -> Any:
        if TABLES[name][1]:
            return world
        return builder.inttoptr(word_at(builder, world, 3 * TABLE[name], True), pointer)

    @lower_getattr_generic(TableType)  # type: ignore[untyped-decorator]
    def _shape(context: Any, builder: Any, kind: Any, world: Any, name: str) -> Any:
        stays, place = kind.table not in GROWING, 3 * TABLE[kind.table]
        sizes = [word_at(builder, world, place + 1 + each, stays) for each in range(kind.indices)]
        if kind.table in STATES_WIDE:
            sizes[1] = word(len(STATES))
        return context.make_tuple(builder, types.containers.UniTuple(types.int64, kind.indices), sizes)

    @lower_builtin(len, TableType)  # type: ignore[untyped-decorator]
    def _len(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        table = sign.args[0]
        return word_at(builder, values[0], 3 * TABLE[table.table] + 1, table.table not in GROWING)

    def _item(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        table = sign.args[0]
        address = place_of(builder, table, *values)
        if table.dtype.names:
            return address
        return read(context, builder, sign.return_type, address, table.table)

    def _set_item(context: Any, builder: Any, sign: Any, values: Any) -> Any:
        table, _, kind = sign.args
        world, index, value = values
        write(context, builder, kind, place_of(builder, table, world, index), table.table, value)
        return context.get_dummy_value()

    for index in (types.Integer, types.containers.BaseTuple):
        lower_builtin(operator.getitem, TableType, index)(_item)
        lower_builtin(operator.setitem, TableType, index, types.Any)(_set_item)

    def may_stay(row: Any, name: str) -> bool:
        return name in COUNTED.get(row.table, ())

    def accessor(module: Any, verb: str, row: str, name: str) -> Any:
        kind = ir.FunctionType(word, [pointer]) if verb == "get" else ir.FunctionType(ir.VoidType(), [pointer, word])
        return cgutils.get_or_insert_function(module, kind, f"dcsim.{verb}.{row}.{name}")

    def columns(stay: bool) -> Any:
        """Define how columns that may keep one value are read and written; ``BROKEN`` is set when one does not."""
        module = ir.Module("columns")
        broken = ir.GlobalVariable(module, word, BROKEN)
        broken.initializer = word(0)
        for table, values in COUNTED.items():
            for name, value in values.items():
                get, set_ = (accessor(module, verb, table, name) for verb in ("get", "set"))
                reads, writes = (ir.IRBuilder(each.append_basic_block()) for each in (get, set_))
                for function in (get, set_):
                    function.attributes.add("alwaysinline")
                if stay:
                    reads.ret(word(value))
                    with writes.if_then(writes.icmp_signed("!=", set_.args[1], word(value)), likely=False):
                        writes.store(word(1), broken)
                else:
                    place = reads.bitcast(get.args[0], word.as_pointer())
                    reads.ret(marked(reads, reads.load(place), f"{table}.{name}"))
                    place = writes.bitcast(set_.args[0], word.as_pointer())
                    marked(writes, writes.store(set_.args[1], place), f"{table}.{name}")
                writes.ret_void()
        return module

    def column_at(builder: Any, row: Any, address: Any, name: str) -> tuple[Any, Any]:
        dtype, offset = row.dtype.fields[name][:2]
        return from_dtype(dtype), builder.gep(address, [word(offset)], inbounds=True)

    @lower_getattr_generic(RowType)  # type: ignore[untyped-decorator]
    def _column(context: Any, builder: Any, row: Any, address: Any, name: str) -> Any:
        kind, place = column_at(builder, row, address, name)
        if may_stay(row, name):
            return builder.call(accessor(builder.module, "get", row.table, name), [place])
        return read(context, builder, kind, place, f"{row.table}.{name}")

    @lower_setattr_generic(RowType)  # type: ignore[untyped-decorator]
    def _set_column(context: Any, builder: Any, sign: Any, values: Any, name: str) -> None:
        row, given = sign.args
        kind, place = column_at(builder, row, values[0], name)
        value = context.cast(builder, values[1], given, kind)
        if may_stay(row, name):
            builder.call(accessor(builder.module, "set", row.table, name), [place, value])
            return
        write(context, builder, kind, place, f"{row.table}.{name}", value)

    # --- calls ------------------------------------------------------------------------------------------------------

    def calls(sign: Any, emit: Callable[..., Any]) -> Any:
        def call(typing: Any, *arguments: Any) -> Any:
            return sign, emit

        names = ["typing", *(f"argument_{number}" for number in range(len(sign.args)))]
        takes = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        call.__signature__ = Signature(takes)  # type: ignore[attr-defined]
        return intrinsic(call)

    def through(name: str, sign: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            takes = [context.get_value_type(each) for each in sign.args]
            function = ir.FunctionType(context.get_value_type(sign.return_type), takes)
            return builder.call(cgutils.get_or_insert_function(builder.module, function, symbol(name)), values)

        return calls(sign, emit)

    answers = types.int64(a_world, types.int64, types.int64, types.int64)

    def emit_ask(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        takes = [context.get_value_type(each) for each in answers.args]
        function = ir.FunctionType(word, takes).as_pointer()
        return builder.call(builder.inttoptr(word_at(builder, values[0], ANSWERS, True), function), values)

    def emit_reset(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        for number, name in enumerate(CHANGING):
            dtype, indices = TABLES[name]
            place, size = 3 * TABLE[name], word(dtype.itemsize)
            for each in range(indices):
                size = builder.mul(size, word_at(builder, values[0], place + 1 + each, False))
            target = word_at(builder, values[0], place, False)
            source = word_at(builder, values[0], ANSWERS + 1 + number, True)
            cgutils.raw_memcpy(
                builder, builder.inttoptr(target, pointer), builder.inttoptr(source, pointer), size, word(1)
            )
        return context.get_dummy_value()

    def emit_same(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return values[0]

    special = {
        "ask": calls(answers, emit_ask),
        "reset": calls(types.none(a_world), emit_reset),
        "wrapped": calls(types.int64(types.int64), emit_same),
    }
    translated = {World: a_world, PlantTables: a_world, int: types.int64, float: types.float64, bool: types.boolean}
    translated[type(None)] = types.none

    def signature_of(rule: Any) -> Any:
        hints = get_type_hints(rule)
        result = hints.pop("return")
        several = get_args(result)
        kind = types.containers.UniTuple(translated[several[0]], len(several)) if several else translated[result]
        return kind(*(translated[hint] for hint in hints.values()))

    return Compiled(signature_of, special, through, columns)
