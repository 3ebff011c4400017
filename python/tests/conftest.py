"""Three servers for all tests; every test has a key prefix of its own."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pymysql
import pytest

import mariadb as other_database
import postgres as database
import redfence
import servers as started

_numbers = itertools.count()

Connect = Callable[..., redfence.Redfence]


@pytest.fixture(scope="session")
def servers() -> Iterator[list[started.Server]]:
    with started.servers(3) as running:
        yield running


@pytest.fixture
def urls(servers: list[started.Server]) -> list[str]:
    return [server.url for server in servers]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"prefix": f"test{next(_numbers)}", "new_installation": True, "ttl": 5.0}


@pytest.fixture
def connect(urls: list[str], settings: dict[str, Any]) -> Connect:
    """Connects a client; each stands for a process of its own."""
    return lambda **more: redfence.connect(urls, **{**settings, **more})


@pytest.fixture
def client(connect: Connect) -> redfence.Redfence:
    return connect()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with database.postgres() as url:
        yield url


@pytest.fixture(scope="module")
def postgres(postgres_server: str, request: pytest.FixtureRequest) -> str:
    """A database for each file of tests."""
    name: str = request.module.__name__
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres_server.removesuffix("/postgres") + f"/{name}"


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[int]:
    with other_database.mariadb() as port:
        yield port


@pytest.fixture(scope="module")
def mariadb(mariadb_server: int, request: pytest.FixtureRequest) -> dict[str, Any]:
    """How PyMySQL connects to a database for each file of tests."""
    name: str = request.module.__name__
    at = {"host": "127.0.0.1", "port": mariadb_server, "user": "root"}
    with pymysql.connect(**at) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return {**at, "database": name}
