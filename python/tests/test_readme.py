"""The page's own lines, as they stand there."""

import re
from pathlib import Path

import psycopg
import pytest

import redfence
from redfence.fencing import psycopg as fencing

README = Path(__file__).parents[1] / "README.md"


def test_the_lines_about_the_recipes_run(client: redfence.Redfence, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"## Built on the lock\n\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    exec(compile(found[1], str(README), "exec"), {"redfence": redfence, "client": client})
    permit, tokens, leader, once = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"downloads#1 \d+", permit) and re.fullmatch(r"\d+ \d+", tokens)
    assert re.fullmatch(r"(\d+) Leader\(term=\1, label='.+'\)", leader)
    assert once == "the report of monday Skipped.SKIPPED"


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
    names: dict[str, object] = {}
    exec(compile(lines, str(README), "exec"), names)
    lease = names["lease"]
    assert isinstance(lease, redfence.Lease)
    with psycopg.connect(postgres) as connection:
        assert connection.execute("SELECT value FROM orders").fetchall() == [("paid",)]
        assert connection.execute("SELECT resource, token FROM redfence_fence").fetchall() == [("orders/42", lease.token)]
