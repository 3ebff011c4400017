"""Fenced transactions with PyMySQL: MariaDB and MySQL."""

from __future__ import annotations

from typing import Any

from pymysql.constants import SERVER_STATUS
from pymysql.cursors import Cursor

from . import SQL, judge, offered, statement

MIGRATION: str = SQL["mysql"]["migration"]
"""Makes the table ``redfence_fence``. Put it into your migrations."""

_ADMIT = statement("mysql", "admit", lambda _: "%s")
_ADMITTED = statement("mysql", "admitted", lambda _: "%s")


def admit(connection: Any, resource: str, token: int) -> None:
    """Admits `token` in the transaction of `connection`, before its first read, and holds the fence until the commit.

    Raises `StaleToken`: roll back. Raises `ValueError` if the connection commits each statement by itself: that would fence
    nothing. With mysqlclient, or an asynchronous driver, execute the two statements ``admit`` and ``admitted`` of
    ``redfence.fencing.SQL["mysql"]``, and `redfence.fencing.judge` what the second one gives back.
    """
    offered(resource, token)
    if connection.get_autocommit() and not connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
        raise ValueError("the connection commits each statement: admit after `connection.begin()`")
    with connection.cursor(Cursor) as cursor:
        cursor.execute(_ADMIT.text, _ADMIT.arguments(resource, token))
        cursor.execute(_ADMITTED.text, _ADMITTED.arguments(resource))
        row = cursor.fetchone()
    judge(resource, token, row and row[0])
