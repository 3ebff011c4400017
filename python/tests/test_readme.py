"""The page's own lines, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

import redfence
from redfence.fencing import psycopg as fencing
from servers import PROMPT

README = Path(__file__).parents[1] / "README.md"


def test_the_lines_about_the_recipes_run(client: redfence.Redfence, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"## Built on the lock\n\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    exec(compile(found[1], str(README), "exec"), {"redfence": redfence, "client": client})
    permit, tokens, leader, once = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"downloads#1 \d+", permit) and re.fullmatch(r"\d+ \d+", tokens)
    assert re.fullmatch(r"(\d+) Leader\(term=\1, label='.+'\)", leader)
    assert once == "the report of monday Skipped.SKIPPED"


def test_the_lines_about_an_older_lock_run(urls: list[str]) -> None:
    found = re.search(r"## Beside an older lock\n\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    lines = found[1]
    for theirs, ours in zip(["redis://a:6379", "redis://b:6379", "redis://c:6379"], urls):
        assert f'"{theirs}"' in lines
        lines = lines.replace(f'"{theirs}"', repr(ours))
    names: dict[str, Any] = {"redfence": redfence}
    exec(compile(lines, str(README), "exec"), names)
    assert names["client"].nodes()


def test_the_first_lines_of_the_page_write_under_a_fence(urls: list[str], postgres: str) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    lines = found[1]
    for theirs, ours in [*zip(["redis://a:6379", "redis://b:6379", "redis://c:6379"], urls), ("dbname=shop", None)]:
        assert f'"{theirs}"' in lines
        lines = lines.replace(f'"{theirs}"', repr(ours or postgres))
    # What the page takes for granted.
    redfence.connect(urls, new_installation=True)
    with psycopg.connect(postgres) as connection:
        connection.execute(fencing.MIGRATION.encode())
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, value text)")
        connection.execute("INSERT INTO orders VALUES (42, 'open')")
    # With an environment that has nothing but what the first line installs, where there is one.
    python = os.environ.get("REDFENCE_FRESH_PYTHON", sys.executable)
    lines += "print(lease.token)\n"
    ran = subprocess.run([python, "-W", "error", "-c", lines], capture_output=True, text=True, timeout=2 * PROMPT)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    with psycopg.connect(postgres) as connection:
        assert connection.execute("SELECT value FROM orders").fetchall() == [("paid",)]
        assert connection.execute("SELECT resource, token FROM redfence_fence").fetchall() == [("orders/42", int(ran.stdout))]


def test_the_package_needs_no_other() -> None:
    """Everything but the modules for frameworks is imported without them."""
    lines = """
import sys
import redfence, redfence.aio, redfence.fencing, redfence.fencing.http, redfence.fencing.sqlite
with redfence.Lock(redfence.embedded(3), "r") as lease:
    lease.check()
print(sorted({"celery", "django", "psycopg", "pymysql", "redis", "sqlalchemy", "typing_extensions"} & sys.modules.keys()))
"""
    python = os.environ.get("REDFENCE_FRESH_PYTHON", sys.executable)
    ran = subprocess.run([python, "-W", "error", "-c", lines], capture_output=True, text=True, timeout=2 * PROMPT)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")
