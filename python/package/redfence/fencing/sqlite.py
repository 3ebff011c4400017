"""Fenced transactions with the standard library's sqlite3."""

from __future__ import annotations

import sqlite3

from . import SQL, judge, offered, statement

MIGRATION: str = SQL["sqlite"]["migration"]
"""Makes the table ``redfence_fence``. Put it into your migrations."""

_ADMIT = statement("sqlite", "admit", lambda _: "?")


def admit(connection: sqlite3.Connection, resource: str, token: int) -> None:
    """Admits `token` in the transaction of `connection`, before its first read, and keeps other writers out until the commit.

    Begins a transaction where there is none; end it yourself. Raises `StaleToken`: roll back.
    """
    offered(resource, token)
    if not connection.in_transaction:
        connection.execute("BEGIN IMMEDIATE")
    row = connection.execute(_ADMIT.text, _ADMIT.arguments(resource, token)).fetchone()
    judge(resource, token, row and row[0])
