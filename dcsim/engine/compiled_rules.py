"""The rules as machine code: each is compiled by itself, then all are put together and optimised as one program.

numba would compile whatever a function calls once more into it, transitively. Here it translates each rule once, with
calls by name; LLVM puts them together and decides what becomes a part of its callers. What comes out is object code
that needs numba no more (``dcsim.engine.machine_code`` keeps and loads it).
"""

import dis
from collections.abc import Callable, Iterable
from contextlib import suppress
from graphlib import TopologicalSorter
from inspect import getmodule
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from dcsim.rules import random_numbers
from dcsim.rules.rule import RULES

EXPORTS = ("run", "run_many", "sample")
"""Rules that are called from Python, with the address of a world's addresses."""


SPECIAL = ("ask", "reset", "wrapped")
"""Rules that have another body when they are compiled (``compiled_world``)."""
VARIANTS = ("general", "counted")
INLINED = frozenset(
    (
        *("add_part", "add_piece", "add_stretch", "adds_up", "all_is_found", "begin_repair", "book"),
        *("book_computed", "book_lost", "book_positions", "book_repair", "book_return", "book_writes"),
        *("change_free", "choose_next", "come_back", "come_to", "computes_steadily", "copied", "crew_begins"),
        *("draw_times", "end_stage", "enter", "enter_now", "exponential", "first_part", "found_in", "gain"),
        *("gang_at", "give_back_repair", "go_on", "group_asks", "group_is_back", "group_is_found"),
        *("group_leaves", "group_of", "hit", "is_alone", "is_not_awaited", "is_quiet", "is_simply_struck"),
        *("keep_computed", "keep_safe", "largest_shape", "layered", "leaves_alone", "level", "lies_inside"),
        *("lose", "new_failure", "new_part", "new_repair", "new_return", "next_failure_or_window"),
        *("next_known_failure", "next_stage", "next_word", "nothing_is_due", "preempt", "quotient", "resume"),
        *("roll_back", "serve_next", "set_stream", "sfc64", "stalls_for", "stop", "stop_whole", "strike_gang"),
        *("strike_group", "strike_or_open", "strike_simply", "takes_crew", "times_speed", "uniform", "weigh"),
        *("written",),
    )
)
"""Rules that become a part of whoever calls them: what most failures pass. So nothing is worked out twice, and a
failure that stands alone needs half of the instructions."""
SELDOM = frozenset(
    (
        *("arrive", "begin_load", "begin_run", "begin_write", "blame_another", "book_added", "book_earlier"),
        *("book_earlier_positions", "book_surplus", "bring_back", "cannot_start", "close_causes"),
        *("close_month", "close_months", "close_run", "cut_stretch", "draw_block", "draw_more", "end_run"),
        *("end_transfer", "energise", "find_corrupt", "find_slow", "finish", "forget_positions"),
        *("next_age_failure", "note_rollback", "note_time", "open_window", "rare_exponential", "run_small"),
        *("settles", "strike_again", "strikes_alone", "withdraw"),
    )
)
"""Rules that stay by themselves: a failure seldom comes there, and they would crowd what it passes; and ``settles``,
which needs all registers for itself."""


class ObjectCode(NamedTuple):
    """What a compiler makes of the rules. ``needs``: names of functions that the process must have, as ``exp``."""

    content: bytes
    needs: list[str]


def compile_rules() -> dict[str, ObjectCode]:
    """Compile all rules for this processor (some ten seconds): "general" for every program, "counted" for simple ones.

    Programs are counted by ``dcsim.program.simple.is_counted``.
    """
    from llvmlite import binding, ir  # type: ignore[import-untyped]
    from numba.core import compiler, registry
    from numba.core.compiler_lock import global_compiler_lock

    from dcsim.engine.compiled_world import BROKEN, compiled_world, symbol

    with global_compiler_lock:
        world, codegen = compiled_world(), code_generator()
        typing = registry.cpu_target.typing_context
        target = registry.cpu_target.target_context.subtarget(_internal_codegen=codegen, aot_mode=True)
        typing.refresh()
        target.refresh()
        entries = ir.Module("entries")
        entries.triple = binding.get_process_triple()
        spaces = {module.__name__: dict(module.__dict__) for module in modules()}
        with suppress(ImportError):  # without them no sample will be numpy's
            spaces[random_numbers.__name__].update(random_numbers.ziggurat())
        called, parts = dict(world.special), []
        for name in in_order(reached()):
            function = RULES[name]
            space, sign = spaces[function.__module__], world.signature(function)
            space.update({other: called[other] for other in called_by(function)})
            copy = FunctionType(function.__code__, space, name)
            done = compiler.compile_extra(typing, target, copy, sign.args, sign.return_type, flags(), {})
            done.library.finalize()
            part = done.library._final_module
            if name in INLINED | SELDOM:
                how = "alwaysinline" if name in INLINED else "noinline"
                part.get_function(done.fndesc.llvm_func_name).add_function_attribute(how)
            parts.append(part)
            _enter(entries, target, done.fndesc, sign, symbol(name), name in INLINED)
            called[name] = world.through(name, sign)
        whole = binding.parse_assembly(str(entries))
        for part in parts:
            whole.link_in(part, preserve=True)
        exported = {BROKEN, *(symbol(name) for name in EXPORTS)}
        found = {}
        for variant in VARIANTS:
            columns = binding.parse_assembly(str(world.columns(variant == "counted")))
            program = whole.clone()
            program.link_in(columns)
            _hide(program.functions, exported)
            _hide(program.global_variables, exported)
            content = optimised(program, codegen._tm)
            found[variant] = ObjectCode(content, needed(program))
        return found


def optimised(program: Any, processor: Any) -> bytes:
    """Return the object code of a program. Its loops are short: to make several turns at once would only cost.

    Raises RuntimeError if it divides numbers of 128 bits, as no processor can: the functions for it may be missing.
    """
    from llvmlite import binding

    tuning = binding.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.loop_interleaving = tuning.loop_unrolling = tuning.slp_vectorization = False
    builder = binding.create_pass_builder(processor, tuning)
    builder.getModulePassManager().run(program, builder)
    content: bytes = processor.emit_object(program)
    for name in (b"__udivti3", b"__umodti3", b"__divti3", b"__modti3"):
        if name in content:
            raise RuntimeError(f"machine code of the rules calls {name.decode()}")
    return content


def _enter(entries: Any, target: Any, described: Any, sign: Any, symbol: str, inlined: bool) -> None:
    """Define the function by which others call a rule: its arguments and its result, nothing else."""
    from llvmlite import ir

    convention = target.call_conv
    kind = convention.get_function_type(described.restype, described.argtypes)
    inner = ir.Function(entries, kind, described.llvm_func_name)
    takes = [target.get_value_type(each) for each in sign.args]
    entry = ir.Function(entries, ir.FunctionType(target.get_value_type(sign.return_type), takes), symbol)
    if inlined:
        entry.attributes.add("alwaysinline")
    builder = ir.IRBuilder(entry.append_basic_block())
    _, result = convention.call_function(builder, inner, described.restype, described.argtypes, entry.args)
    builder.ret(result)


def _hide(values: Iterable[Any], exported: set[str]) -> None:
    """Let nobody outside see a function or a variable, so that it may become a part of others, or vanish."""
    for value in values:
        if not value.is_declaration and value.name not in exported:
            value.linkage = "internal"


def needed(whole: Any) -> list[str]:
    """Return the names of the functions that machine code calls and does not hold; LLVM's may become such calls."""
    found = {function.name for function in whole.functions if function.is_declaration}
    plain = {name for name in found if not name.startswith("llvm.")}
    for called, names in MAY_CALL.items():
        if any(name.startswith(f"llvm.{called}.") for name in found):
            plain |= names
    return sorted(plain)


MAY_CALL = {
    name: {name}
    for name in ("exp", "log", "log1p", "pow", "rint", "floor", "ceil", "fabs", "sqrt", "memset", "memmove")
} | {"memcpy": {"memcpy"}}
"""LLVM's functions that a processor may not have as an instruction -> names in the C library."""


def flags() -> Any:
    """Return how rules are compiled: nothing is divided by zero, nothing is allocated, no Python is called."""
    from numba.core import compiler

    found = compiler.Flags()
    found.error_model = "numpy"
    found.nrt = False
    found.no_compile = found.no_cpython_wrapper = found.no_cfunc_wrapper = True
    return found


def code_generator() -> Any:
    """Return what makes LLVM's code: for this processor, and not optimised before all is together."""
    from numba.core import codegen

    class Part(codegen.AOTCodeLibrary):  # type: ignore[misc]
        """One rule."""

        def _optimize_functions(self, module: Any) -> None:
            module.data_layout = self._codegen._data_layout

        def _optimize_final_module(self) -> None:
            """All are optimised together."""

    class Parts(codegen.AOTCPUCodegen):  # type: ignore[misc]
        """Makes rules."""

        _library_class = Part

        def _customize_tm_features(self) -> Any:
            return self._get_host_cpu_features()

    return Parts("dcsim", "host")


# --- which rules ----------------------------------------------------------------------------------------------------


def modules() -> list[ModuleType]:
    """Return the modules that hold rules, in order of their names."""
    found = {getmodule(function) for function in RULES.values()}
    return sorted((each for each in found if each is not None), key=lambda each: each.__name__)


def called_by(function: Callable[..., Any]) -> list[str]:
    """Return the names of the rules that a rule calls."""
    names = (each.argval for each in dis.get_instructions(function) if each.opname == "LOAD_GLOBAL")
    return [name for name in dict.fromkeys(names) if name in RULES]


def reached() -> list[str]:
    """Return the names of the rules that ``EXPORTS`` call, at once or through others: what the compiled clock plays."""
    found = list(EXPORTS)
    for name in found:
        found += [called for called in called_by(RULES[name]) if called not in found]
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """Return these names but ``SPECIAL``, each after those of the rules that it calls; CycleError for a circle."""
    calls = {name: called_by(RULES[name]) for name in names}
    return [name for name in TopologicalSorter(calls).static_order() if name not in SPECIAL]
