"""Fenced transactions with SQLAlchemy 2: PostgreSQL, MySQL and MariaDB, SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, TextClause, event, text
from sqlalchemy.orm import Session, SessionTransaction

from . import SQL, _Leased, judge, offered, statement

_DATABASES = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite"}
_NAMES = ("resource", "token")


def migration(connection: Connection) -> str:
    """Makes the table ``redfence_fence``, for the database of `connection`. Put it into your migrations."""
    return SQL[_database(connection)]["migration"]


def admit(session: Session | Connection, resource: str, token: int) -> None:
    """Admits `token` in the transaction of `session`, before its first read, and holds the fence until the commit.

    Raises `StaleToken`: roll back. With an `AsyncSession`: ``await session.run_sync(admit, resource, token)``. Raises
    `ValueError` if the connection commits each statement by itself: that would fence nothing.
    """
    offered(resource, token)
    connection = session.connection() if isinstance(session, Session) else session
    if _commits_each_statement(connection):
        raise ValueError("the connection commits each statement: admit in a transaction")
    database = _database(connection)
    values = {"resource": resource, "token": token}
    result = connection.execute(_text(database, "admit"), values)
    if database == "mysql":
        result = connection.execute(_text(database, "admitted"), {"resource": resource})
    judge(resource, token, result.scalar_one())


@contextmanager
def fenced(session: Session, lease: _Leased) -> Iterator[Session]:
    """Every transaction that `session` begins in the block admits the token of `lease` first.

    ``with lock as lease, fenced(session, lease): …; session.commit()``
    """
    if session.in_transaction():
        raise ValueError("the session is in a transaction, which may have read before it was fenced: commit or roll back first")

    def after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        lease.check()
        admit(connection, lease.name, lease.token)

    event.listen(session, "after_begin", after_begin)
    try:
        yield session
    finally:
        event.remove(session, "after_begin", after_begin)


def _database(connection: Connection) -> str:
    name = connection.dialect.name
    if name not in _DATABASES:
        raise ValueError(f"there are no statements for {name}, but for {', '.join(sorted(_DATABASES))}")
    return _DATABASES[name]


def _commits_each_statement(connection: Connection) -> bool:
    dbapi_connection = connection.connection.dbapi_connection
    try:
        return dbapi_connection is not None and connection.dialect.detect_autocommit_setting(dbapi_connection)
    except NotImplementedError:
        # A driver that does not say.
        return False


def _text(database: str, name: str) -> TextClause:
    return text(statement(database, name, lambda position: f":{_NAMES[position]}").text)
