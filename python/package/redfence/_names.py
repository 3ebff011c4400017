"""Names that are made of the arguments of a function."""

from __future__ import annotations

import inspect
import re
import string
from collections.abc import Callable
from typing import Any

from . import _checked


def namer(function: Callable[..., Any], name: str | None) -> Callable[[tuple[Any, ...], dict[str, Any]], str]:
    """Makes the name of a call: `name` with its fields, or the function's own name, with its module."""
    _checked.callback("the decorated function", function)
    if name is None:
        own = f"{function.__module__}.{function.__qualname__}"
        return lambda args, kwargs: own
    pattern, signature = _checked.name(name), inspect.signature(function)
    for _, field, _, _ in string.Formatter().parse(pattern):
        argument = re.split(r"[.[]", field or "", maxsplit=1)[0]
        if field is not None and argument not in signature.parameters:
            known = ", ".join(signature.parameters) or "none"
            raise ValueError(f"name is {pattern!r}: {argument!r} is not an argument of {function.__qualname__}, which has: {known}")

    def name_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return pattern.format(**bound.arguments)

    return name_of
