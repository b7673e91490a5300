"""Families of plug-ins: a kind is a frozen model in a file of its own, found by being there."""

import importlib
import pkgutil
from typing import Annotated, Any, TypeVar, Union, get_args

from pydantic import BaseModel, Discriminator, Tag

T = TypeVar("T", bound=BaseModel)


def tag(kind: str) -> str:
    """Return the union tag of a kind; the angle brackets let error paths drop it."""
    return f"<{kind}>"


def form_of(value: Any) -> str:
    """Tell text, list and the kinds of table apart, so that one mistake gives one error."""
    if isinstance(value, dict):
        kind = value.get("kind", "table")
        return tag(kind if isinstance(kind, str) else "no text")
    if isinstance(value, BaseModel):
        return tag(str(getattr(value, "kind", "table")))
    return tag("list" if isinstance(value, list | tuple) else "text")


def kind_of(model: type[BaseModel]) -> str:
    """Return the kind that a model's ``kind`` field allows."""
    kind: str = get_args(model.model_fields["kind"].annotation)[0]
    return kind


def kinds_in(package: str, path: Any, family: type[T]) -> dict[str, type[T]]:
    """Return kind -> model for every subclass of ``family`` with a ``kind`` in the modules of a package."""
    found: dict[str, type[T]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(path)):
        for value in vars(importlib.import_module(f"{package}.{module}")).values():
            if isinstance(value, type) and issubclass(value, family) and "kind" in value.model_fields:
                found[kind_of(value)] = value
    return found


def one_of(models: dict[str, type[T]], *forms: Any) -> Any:
    """Return the annotation "one of these kinds, or one of these further forms", chosen by ``form_of``."""
    tagged = [Annotated[model, Tag(tag(kind))] for kind, model in models.items()]
    return Annotated[Union[(*forms, *tagged)], Discriminator(form_of)]
