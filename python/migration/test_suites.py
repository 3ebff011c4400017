"""Tests that nobody here wrote: those of redis-py and python-redis-lock, with our locks in place of theirs.

What cannot pass is listed in the guides beside this file, with the reason. The list has to be the truth: a test that
fails and is not listed fails this, and so does one that is listed and passes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import Server, servers

HERE = Path(__file__).parent
LIMIT = 400
"""Seconds for one suite."""


@pytest.fixture(scope="session")
def sources() -> Path:
    folder = os.environ.get("REDFENCE_SUITES")
    assert folder, "REDFENCE_SUITES is to name the folder of the unpacked sources: run scripts/python-test"
    return Path(folder)


@pytest.fixture
def server() -> Iterator[Server]:
    with servers(1) as started:
        yield started[0]


def listed(guide: str) -> set[str]:
    """The tests in the table of a guide."""
    rows = re.findall(r"^\| (test_\w+) \| (.+) \|$", (HERE / guide).read_text(), re.MULTILINE)
    names = [name for name, _ in rows]
    assert rows and len(names) == len(set(names)), f"{guide} has a test twice, or none"
    return set(names)


def run(folder: Path, plugin: str, results: Path, arguments: list[str], path: list[Path], **more: str) -> dict[str, set[str]]:
    """How each test ended, by its name without parameters: `passed`, `failed`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [HERE, *path, os.environ.get("PYTHONPATH", "")])), **more}
    command = [sys.executable, "-m", "pytest", "-p", plugin, "-p", "no:warnings", "-p", "no:cacheprovider", "--quiet"]
    done = subprocess.run(
        [*command, "--tb=short", f"--junitxml={results}", *arguments],
        cwd=folder, env=environment, timeout=LIMIT, capture_output=True, text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    ends: dict[str, set[str]] = {}
    count = failed = 0
    for case in xml.parse(results).iter("testcase"):
        assert case.find("skipped") is None, f"{case.get('name')} was skipped"
        has_failed = case.find("failure") is not None or case.find("error") is not None
        count, failed = count + 1, failed + has_failed
        ends.setdefault(case.get("name", "").split("[")[0], set()).add("failed" if has_failed else "passed")
    title = folder.parent.name if folder.name == "tests" else folder.name
    print(f"{title}: {count} tests, {count - failed} passed, {failed} cannot pass")
    (results.parent / "output").write_text(done.stdout)
    return ends


def compare(ends: dict[str, set[str]], guide: str, results: Path) -> None:
    expected = listed(guide)
    complaints = [f"{name} is listed and there is no such test" for name in expected - ends.keys()]
    for name, outcomes in ends.items():
        if name in expected and "passed" in outcomes:
            complaints.append(f"{name} is listed and passes: take it off the list")
        if name not in expected and "failed" in outcomes:
            complaints.append(f"{name} fails: fix it, or list it with its reason")
    output = (results.parent / "output").read_text() if complaints else ""
    assert not complaints, "\n".join([f"{guide}:", *complaints, output[-20_000:]])


def test_redis_py(sources: Path, server: Server, tmp_path: Path) -> None:
    arguments = ["tests/test_lock.py", "tests/test_asyncio/test_lock.py", f"--redis-url={server.url}/0"]
    ends = run(sources / "redis-8.1.0", "redis_py_plugin", tmp_path / "results.xml", arguments, [])
    assert len(ends) == 34
    compare(ends, "redis_py.md", tmp_path / "results.xml")


def test_python_redis_lock(sources: Path, tmp_path: Path) -> None:
    folder = sources / "python_redis_lock-4.0.1" / "tests"
    arguments = ["-c", os.devnull, "--rootdir=.", "test_redis_lock.py"]
    ends = run(folder, "redis_lock_plugin", tmp_path / "results.xml", arguments, [folder], REDIS_LOCK_TEST_TIMEOUT="4")
    assert len(ends) == 43
    compare(ends, "python_redis_lock.md", tmp_path / "results.xml")
