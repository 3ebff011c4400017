"""Admission in Django's transactions."""

from __future__ import annotations

from django.db import connections

from ..fencing import judge, offered, statement

_DATABASES = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}


def statements_of(vendor: str) -> str:
    """The name of the statements for a vendor of Django's."""
    if vendor not in _DATABASES:
        raise ValueError(f"there are no statements for {vendor}, but for {', '.join(sorted(_DATABASES))}")
    return _DATABASES[vendor]


def admit(resource: str, token: int, using: str = "default") -> None:
    """Admits `token` in the transaction of ``atomic``, before its first read, and holds the fence until the commit.

    Raises `StaleToken`: let it leave the ``atomic`` block, which rolls back. Raises `ValueError` outside of one.
    """
    offered(resource, token)
    connection = connections[using]
    if not connection.in_atomic_block:
        raise ValueError("the connection commits each statement: admit within `with transaction.atomic():`")
    database = statements_of(connection.vendor)
    with connection.cursor() as cursor:
        call = statement(database, "admit", lambda _: "%s")
        cursor.execute(call.text, call.arguments(resource, token))
        if database == "mysql":
            call = statement(database, "admitted", lambda _: "%s")
            cursor.execute(call.text, call.arguments(resource))
        row = cursor.fetchone()
    judge(resource, token, row and row[0])
