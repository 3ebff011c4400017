"""Fencing where the write happens: the statements of ``fencing/sql``, for any driver.

``admit(resource, token)`` of `redfence.fencing.psycopg`, `redfence.fencing.sqlalchemy` and `redfence.django` runs in the
transaction that writes, before its first read. It holds the fence's row until the commit; a stale token raises `StaleToken`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .. import _checked, _core
from .._errors import StaleToken

SQL: dict[str, dict[str, str]] = _core.SQL
"""By database (``postgres``, ``mysql``, ``sqlite``) and name: ``migration``, ``admit``, ``highest``; for ``mysql`` also
``admitted``. Parameters are written as the database has them: ``$1``, ``?``, ``?1``; 1 is the resource, 2 the token."""

_PLACEHOLDER = re.compile(r"[$?](\d)|\?")


class Statement(NamedTuple):
    """A statement for a driver."""

    text: str
    order: tuple[int, ...]
    """Which parameter each placeholder stands for, from 0."""

    def arguments(self, *parameters: object) -> tuple[object, ...]:
        """The parameters in the order of the placeholders."""
        return tuple(parameters[position] for position in self.order)


class _Leased(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def token(self) -> int: ...
    def check(self) -> None: ...


def statement(database: str, name: str, mark: Callable[[int], str]) -> Statement:
    """The statement with the placeholders of a driver: `mark(n)` writes the nth parameter, from 0."""
    order: list[int] = []

    def marked(found: re.Match[str]) -> str:
        order.append(len(order) if found[1] is None else int(found[1]) - 1)
        return mark(order[-1])

    lines = (line for line in SQL[database][name].splitlines() if not line.startswith("--"))
    return Statement(_PLACEHOLDER.sub(marked, "\n".join(lines)), tuple(order))


def offered(resource: str, token: int) -> tuple[str, int]:
    """Checks a name and a token. Raises `TypeError` or `ValueError` if one of them cannot be used."""
    return _checked.name(resource, "resource"), _checked.token(token)


def judge(resource: str, token: int, highest: object) -> None:
    """Raises `StaleToken` if what the database returned is greater than the token that was offered."""
    if not isinstance(highest, int) or highest < token:
        raise ValueError(f"the fence of {resource!r} returned {highest!r} for token {token}: is it the table of the migration?")
    if highest > token:
        raise StaleToken(resource, token, highest)
