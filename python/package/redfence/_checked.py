"""Checks what callers pass. The message names the argument, its value, and what it has to be."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from reprlib import repr as shortened
from typing import Any

from ._errors import NameError

COUNT_MAX = 2**32 - 1
TOKEN_MAX = 2**53 - 1


def text(what: str, value: object, refusal: type[ValueError] = ValueError) -> str:
    """A str that UTF-8 can encode."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is {shortened(value)}: it has to be a str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refusal(f"{what} is {shortened(value)}: it has half of a surrogate pair: encode it, for instance as base64") from None
    return value


def name(value: object, what: str = "name") -> str:
    """A str that can be a name."""
    return text(what, value, NameError)


def names(value: object) -> list[str]:
    """Names of several resources."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"names is a {type(value).__name__}: it has to be a list of names")
    return [name(one, "one of the names") for one in value]


def urls(what: str, value: object, allowed: str = "a URL, or a list of the URLs of the nodes") -> list[str]:
    """One URL or several."""
    several = (value,) if isinstance(value, str) else value
    if isinstance(several, bytes) or not isinstance(several, Iterable):
        raise TypeError(f"{what} is {shortened(value)}: it has to be {allowed}")
    return [text(f"node {number} of {what}", url) for number, url in enumerate(several, 1)]


def seconds(what: str, value: Any, allowed: str = "0 or more") -> float:
    """Seconds, 0 or more."""
    needed = f"it has to be a number of seconds, {allowed}"
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"{what} is {shortened(value)}: {needed}")
    try:
        given = float(value)
    except OverflowError:
        given = math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {shortened(value)}: {needed}") from None
    if not given >= 0:
        raise ValueError(f"{what} is {shortened(value)}: {needed}")
    return given


def count(what: str, value: Any, allowed: str = f"0 to {COUNT_MAX}") -> int:
    """A whole number from 0 to `COUNT_MAX`; the core judges further."""
    needed = f"it has to be a whole number, {allowed}"
    try:
        given = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {shortened(value)}: {needed}") from None
    if not 0 <= given <= COUNT_MAX:
        raise ValueError(f"{what} is {shortened(value)}: {needed}")
    return given


def token(value: Any) -> int:
    """A fencing token."""
    needed = f"it has to be the token of a lease, 1 to {TOKEN_MAX}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"token is {shortened(value)}: {needed}")
    if not 1 <= value <= TOKEN_MAX:
        raise ValueError(f"token is {shortened(value)}: {needed}")
    return value


def flag(what: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is {shortened(value)}: it has to be True or False")
    return value


def path(what: str, value: object) -> str:
    """The path of a file."""
    return text(what, os.fspath(value) if isinstance(value, os.PathLike) else value)


def pair_of_paths(what: str, value: object) -> tuple[str, str]:
    """The paths of a certificate and of its key."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{what} is {shortened(value)}: it has to be a pair of paths, of the certificate and of its key")
    return path(f"the certificate of {what}", value[0]), path(f"the key of {what}", value[1])


def callback(what: str, value: Any) -> Any:
    """Something that can be called."""
    if not callable(value):
        raise TypeError(f"{what} is {shortened(value)}: it has to be a function")
    return value


def value(given: Any) -> bytes:
    """The value that was computed for a cache."""
    if not isinstance(given, (bytes, bytearray, memoryview)):
        raise TypeError(f"compute gave {shortened(given)}: it has to give bytes, for instance with pickle.dumps or str.encode")
    return bytes(given)


_OF_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(
        ("ttl", "max_ttl", "wait_max", "max_hold", "min_validity", "node_timeout", "dial_timeout", "response_timeout"), seconds
    ),
    **dict.fromkeys(("renewed", "durable", "new_installation"), flag),
    **dict.fromkeys(("label", "prefix", "key_style", "server_name"), text),
    **dict.fromkeys(("drift_ppm", "anchor"), count),
    "ca_file": path,
    "client_certificate": pair_of_paths,
}


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a client; None stands for the default."""
    for what in given.keys() - _OF_SETTINGS.keys():
        raise TypeError(f'there is no setting "{what}": there are {", ".join(_OF_SETTINGS)}')
    return {what: value if value is None else _OF_SETTINGS[what](what, value) for what, value in given.items()}


def maybe(check: Callable[[str, Any], Any], what: str, value: Any) -> Any:
    """The result of `check`; None stays None."""
    return None if value is None else check(what, value)
