"""Names that are made of a function's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def namer(function: Callable[..., Any], name: str | None) -> Callable[[tuple[Any, ...], dict[str, Any]], str]:
    """How the name of a call is made: `name` with its fields, else the function's own, with its module."""
    if name is None:
        own = f"{function.__module__}.{function.__qualname__}"
        return lambda args, kwargs: own
    pattern, signature = name, inspect.signature(function)

    def name_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return pattern.format(**bound.arguments)

    return name_of
