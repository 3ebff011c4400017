"""Fenced transactions, on PostgreSQL, MariaDB and SQLite."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import sqlalchemy
from sqlalchemy import orm

import redfence
import redfence.fencing
from redfence import StaleToken
from redfence.fencing import SQL, sqlite
from redfence.fencing import psycopg as fencing
from redfence.fencing import pymysql as fencing_mysql
from redfence.fencing import sqlalchemy as alchemy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tables(postgres: str) -> str:
    with psycopg.connect(postgres) as connection:
        connection.execute(fencing.MIGRATION.encode())
        connection.execute("CREATE TABLE orders (id text PRIMARY KEY, value text)")
    return postgres


def test_the_statements_are_those_of_the_files() -> None:
    folder = ROOT / "fencing" / "sql" / "src"
    for database, statements in SQL.items():
        for name, statement in statements.items():
            assert (folder / database / f"{name}.sql").read_text() == statement
        # None was left out but the examples.
        files = {file.stem for file in (folder / database).glob("*.sql") if not file.stem.startswith("example")}
        assert files == set(statements)


def test_placeholders_of_drivers_keep_their_parameters() -> None:
    call = redfence.fencing.statement("postgres", "admit", lambda position: f"%({position})s")
    assert "VALUES (%(0)s, %(1)s)" in call.text and call.arguments("r", 7) == ("r", 7)
    call = redfence.fencing.statement("sqlite", "highest", lambda position: ":name")
    assert call.text.endswith("WHERE resource = :name") and call.arguments("r") == ("r",)


def test_psycopg_refuses_a_stale_holder_and_rolls_back(tables: str) -> None:
    lock = redfence.Lock(redfence.embedded(3), "orders/1")
    with lock as old:
        pass
    with lock as new, psycopg.connect(tables) as connection:
        fencing.admit(connection, new.name, new.token)
        connection.execute("INSERT INTO orders VALUES ('1', 'new')")
    with pytest.raises(StaleToken) as stale, psycopg.connect(tables) as connection:
        fencing.admit(connection, old.name, old.token)
        connection.execute("UPDATE orders SET value = 'old' WHERE id = '1'")
    assert (stale.value.token, stale.value.highest) == (old.token, new.token)
    with psycopg.connect(tables) as connection:
        # Equal passes.
        fencing.admit(connection, new.name, new.token)
        assert connection.execute("SELECT value FROM orders WHERE id = '1'").fetchall() == [("new",)]


def assert_waits_and_is_stale(admit: Callable[[], None], commit: Callable[[], None]) -> None:
    """The admission of 4 waits for the transaction that has admitted 5."""
    outcome: list[object] = []

    def older() -> None:
        try:
            admit()
        except StaleToken as stale:
            outcome.append(stale.highest)

    thread = threading.Thread(target=older)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive(), "it did not wait for the transaction before it"
    commit()
    thread.join()
    assert outcome == [5]


def test_psycopg_holds_the_fence_until_the_commit(tables: str) -> None:
    with psycopg.connect(tables) as connection, psycopg.connect(tables) as other:
        fencing.admit(connection, "orders/2", 5)
        assert_waits_and_is_stale(lambda: fencing.admit(other, "orders/2", 4), connection.commit)


def test_psycopg_admits_in_transactions_only(tables: str) -> None:
    with psycopg.connect(tables, autocommit=True) as connection:
        with pytest.raises(ValueError, match="commits each statement"):
            fencing.admit(connection, "orders/3", 1)
        with connection.transaction():
            fencing.admit(connection, "orders/3", 1)


def test_a_commit_after_a_failed_statement_is_an_error_with_the_statement_before_it(tables: str) -> None:
    with psycopg.connect(tables) as connection:
        fencing.admit(connection, "orders/5", 7)
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("INSERT INTO nowhere VALUES (1)")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute(fencing.BEFORE_COMMIT.encode())
        # Without it the commit reports nothing, and writes nothing.
        connection.commit()
        fencing.admit(connection, "orders/5", 1)


def test_psycopg_async(tables: str) -> None:
    async def work() -> None:
        async with await psycopg.AsyncConnection.connect(tables) as connection:
            await fencing.admit_async(connection, "orders/4", 7)
        async with await psycopg.AsyncConnection.connect(tables) as connection:
            with pytest.raises(StaleToken):
                await fencing.admit_async(connection, "orders/4", 6)
            await connection.rollback()

    asyncio.run(work())


@pytest.fixture(scope="module")
def mysql_tables(mariadb: dict[str, Any]) -> dict[str, Any]:
    with pymysql.connect(**mariadb) as connection, connection.cursor() as cursor:
        cursor.execute(fencing_mysql.MIGRATION)
        cursor.execute("CREATE TABLE orders (id varchar(10) PRIMARY KEY, value text)")
    return mariadb


def test_pymysql_refuses_a_stale_holder_and_rolls_back(mysql_tables: dict[str, Any]) -> None:
    lock = redfence.Lock(redfence.embedded(3), "orders/1")
    with lock as old:
        pass
    with lock as new, pymysql.connect(**mysql_tables) as connection:
        fencing_mysql.admit(connection, new.name, new.token)
        connection.cursor().execute("INSERT INTO orders VALUES ('1', 'new')")
        connection.commit()
    with pytest.raises(StaleToken) as stale, pymysql.connect(**mysql_tables) as connection:
        fencing_mysql.admit(connection, old.name, old.token)
        connection.cursor().execute("UPDATE orders SET value = 'old' WHERE id = '1'")
        connection.commit()
    assert (stale.value.token, stale.value.highest) == (old.token, new.token)
    with pymysql.connect(**mysql_tables, cursorclass=pymysql.cursors.DictCursor) as connection:
        # Equal passes, whatever the connection's cursors give.
        fencing_mysql.admit(connection, new.name, new.token)
        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM orders WHERE id = '1'")
            assert cursor.fetchone() == {"value": "new"}


def test_pymysql_holds_the_fence_until_the_commit(mysql_tables: dict[str, Any]) -> None:
    with pymysql.connect(**mysql_tables) as connection, pymysql.connect(**mysql_tables) as other:
        with other.cursor() as cursor:
            # Its snapshot is older than the admission.
            cursor.execute("SELECT * FROM redfence_fence")
        fencing_mysql.admit(connection, "orders/2", 5)
        assert_waits_and_is_stale(lambda: fencing_mysql.admit(other, "orders/2", 4), connection.commit)


def test_pymysql_admits_in_transactions_only(mysql_tables: dict[str, Any]) -> None:
    with pymysql.connect(**mysql_tables, autocommit=True) as connection:
        with pytest.raises(ValueError, match="commits each statement"):
            fencing_mysql.admit(connection, "orders/3", 1)
        connection.begin()
        fencing_mysql.admit(connection, "orders/3", 1)
        connection.commit()
        with pytest.raises(ValueError, match="commits each statement"):
            fencing_mysql.admit(connection, "orders/3", 1)


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlalchemy.Engine]:
    if request.param == "sqlite":
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/test.db")
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(alchemy.migration(connection)))
            connection.execute(sqlalchemy.text("CREATE TABLE orders (id text PRIMARY KEY, value text)"))
    elif request.param == "mariadb":
        at = request.getfixturevalue("mysql_tables")
        engine = sqlalchemy.create_engine("mysql+pymysql://{user}@{host}:{port}/{database}".format(**at))
    else:
        url: str = request.getfixturevalue("tables")
        engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


def test_sqlalchemy_fences_every_transaction_of_a_block(engine: sqlalchemy.Engine) -> None:
    lock = redfence.Lock(redfence.embedded(3), "orders/5")
    write = sqlalchemy.text("INSERT INTO orders VALUES (:id, 'x')")
    with lock as old:
        pass
    with lock as lease, orm.Session(engine) as session:
        with alchemy.fenced(session, lease):
            for number in range(2):
                session.execute(write, {"id": f"a{number}"})
                session.commit()
        with pytest.raises(StaleToken):
            alchemy.admit(session, old.name, old.token)
        session.rollback()
        highest = session.execute(sqlalchemy.text("SELECT token FROM redfence_fence WHERE resource = 'orders/5'"))
        assert highest.scalar_one() == lease.token
        with pytest.raises(ValueError, match="is in a transaction"), alchemy.fenced(session, lease):
            pass
        session.rollback()
    with orm.Session(engine) as session, alchemy.fenced(session, lease), pytest.raises(redfence.LostError):
        session.execute(write, {"id": "b"})


def test_sqlalchemy_admits_in_transactions_only(engine: sqlalchemy.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(ValueError, match="commits each statement"):
            alchemy.admit(connection, "orders/6", 1)


def test_sqlite_holds_the_fence_until_the_commit(tmp_path: Path) -> None:
    first, second = (sqlite3.connect(tmp_path / "test.db", timeout=0) for _ in range(2))
    first.execute(sqlite.MIGRATION)
    with first:
        sqlite.admit(first, "r", 5)
        assert first.in_transaction
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite.admit(second, "r", 4)
    with pytest.raises(StaleToken), second:
        sqlite.admit(second, "r", 4)
    assert not second.in_transaction
    with second:
        sqlite.admit(second, "r", 5)
    first.close()
    second.close()


def test_an_answer_that_is_none_is_not_taken_for_admission() -> None:
    wrong: Any
    for wrong in (None, "7", 6):
        with pytest.raises(ValueError, match="is it the table of the migration"):
            redfence.fencing.judge("r", 7, wrong)


@pytest.mark.parametrize("by", ["sqlite", "psycopg", "pymysql", "sqlalchemy"])
def test_what_is_no_token_is_refused_before_a_statement(by: str, tables: str) -> None:
    # Only psycopg is asked whether it is in a transaction before.
    connection: Any = psycopg.connect(tables) if by == "psycopg" else None
    wrong: Any
    admit: Any = {"sqlite": sqlite, "psycopg": fencing, "pymysql": fencing_mysql, "sqlalchemy": alchemy}[by].admit
    for wrong in (0, -1, 2**53, "7", None, 1.0, True):
        with pytest.raises((TypeError, ValueError), match="token is .*: it has to be the token of a lease"):
            admit(connection, "r", wrong)
    for wrong in (None, 7, b"r", "\ud800"):
        with pytest.raises((TypeError, ValueError), match="resource is .*: it has"):
            admit(connection, wrong, 7)
    if connection is not None:
        connection.close()
