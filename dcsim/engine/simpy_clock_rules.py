"""A run's own copies of the rules, so that its clock and its user can step in before and after each of them.

Rules call one another by the names of their modules. The copies have the same code and other modules: putting something
else under a name there changes what this run calls, and nobody else. A rule without hooks costs what it always costs.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

from dcsim.rules import happenings
from dcsim.rules.rule import RULES
from dcsim.wording import did_you_mean

assert happenings.run.__name__ in RULES  # all rules are imported now

Hook = Callable[..., object]
"""Called with the world, then by name the rule's own arguments and ``now`` [ms]; after a rule that answers something,
``result`` too."""


class RunRules:
    """The rules as one run calls them. ``calls``: name -> function."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.calls: dict[str, Callable[..., Any]] = {}
        self._spaces: dict[str, dict[str, Any]] = {}
        self._inner: dict[str, Callable[..., Any]] = {}
        self._hooks: dict[str, tuple[list[Hook], list[Hook]]] = {}
        self._now = now
        for name, rule in RULES.items():
            space = self._spaces.setdefault(rule.__module__, dict(rule.__globals__))
            self._inner[name] = FunctionType(rule.__code__, space, name)
        for name, inner in self._inner.items():
            self._put(name, inner)

    def _put(self, name: str, function: Callable[..., Any]) -> None:
        self.calls[name] = function
        for space in self._spaces.values():
            if name in space:
                space[name] = function

    def extend(self, name: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Let this run call ``wrapped(rule)`` in place of a rule."""
        self._inner[name] = wrapped(self._inner[name])
        self._put(name, self._inner[name])

    def add(self, name: str, hook: Hook, after: bool) -> Callable[[], None]:
        """Call a hook before or after each call of a rule; return what takes it away again.

        Raises ValueError if there is no rule of this name.
        """
        self.check(name)
        before_and_after = self._hooks.setdefault(name, ([], []))
        before_and_after[after].append(hook)
        self._put(name, self._hooked(name))

        def take_away() -> None:
            before_and_after[after].remove(hook)
            if not any(before_and_after):
                self._put(name, self._inner[name])

        return take_away

    def _hooked(self, name: str) -> Callable[..., Any]:
        inner, (before, after) = self._inner[name], self._hooks[name]
        arguments, answers = self.arguments(name), RULES[name].__annotations__["return"] is not None

        def hooked(w: Any, *values: Any) -> Any:
            known = {"now": self._now(), **dict(zip(arguments, values, strict=True))}
            for hook in tuple(before):
                hook(w, **known)
            result = inner(w, *values)
            if answers:
                known["result"] = result
            for hook in tuple(after):
                hook(w, **known)
            return result

        return hooked

    @staticmethod
    def arguments(name: str) -> tuple[str, ...]:
        """Return the names of a rule's arguments behind the world."""
        code = RULES[name].__code__
        return code.co_varnames[1 : code.co_argcount]

    @staticmethod
    def check(name: str) -> None:
        """Raise ValueError if there is no rule of this name."""
        if name not in RULES:
            raise ValueError(f"found rule '{name}', which there is not{did_you_mean(name, RULES)}")
