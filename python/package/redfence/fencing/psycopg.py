"""Fenced transactions with psycopg 3."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from . import SQL, judge, offered, statement

MIGRATION: str = SQL["postgres"]["migration"]
"""Makes the table ``redfence_fence``. Put it into your migrations."""

BEFORE_COMMIT: str = SQL["postgres"]["before_commit"]
"""Execute this right before `connection.commit()` if your program catches errors of statements and goes on.

PostgreSQL then answers the commit with a rollback and without an error. This statement raises instead.
"""

_ADMIT = statement("postgres", "admit", lambda _: "%s")


def admit(connection: psycopg.Connection[Any], resource: str, token: int) -> None:
    """Admits `token` in the transaction of `connection`, before its first read, and holds the fence until the commit.

    Raises `StaleToken`: leave the transaction with it, which rolls back. Raises `ValueError` if the connection commits each
    statement by itself: that would fence nothing.
    """
    _in_transaction(connection)
    row = connection.cursor(row_factory=psycopg.rows.tuple_row).execute(*_call(resource, token)).fetchone()
    judge(resource, token, row and row[0])


async def admit_async(connection: psycopg.AsyncConnection[Any], resource: str, token: int) -> None:
    """As `admit`, with an asynchronous connection."""
    _in_transaction(connection)
    cursor = await connection.cursor(row_factory=psycopg.rows.tuple_row).execute(*_call(resource, token))
    row = await cursor.fetchone()
    judge(resource, token, row and row[0])


def _call(resource: str, token: int) -> tuple[bytes, tuple[object, ...]]:
    return _ADMIT.text.encode(), _ADMIT.arguments(*offered(resource, token))


def _in_transaction(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise ValueError("the connection commits each statement: admit within `with connection.transaction():`")
