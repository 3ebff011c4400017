"""Tests that other projects wrote: those of redis-py, python-redis-lock, pottery and node-redlock, with our locks in place
of theirs.

What cannot pass is listed in the guides beside this file, with the reason. The list has to be the truth: a test that
fails and is not listed fails this, and so does one that is listed and passes.
"""

from __future__ import annotations

import binascii
import json
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
    rows = re.findall(r"^\| (test_\w+|\w+-server: .+?) \| (.+) \|$", (HERE / guide).read_text(), re.MULTILINE)
    names = [name for name, _ in rows]
    assert rows and len(names) == len(set(names)), f"{guide} has a test twice, or none"
    return set(names)


def run(
    folder: Path, plugin: str, results: Path, arguments: list[str], path: list[Path], guide: str, **more: str
) -> dict[str, set[str]]:
    """How each test ended, by its name without parameters: `passed`, `failed`.

    Their times are short, and this machine may be busy, so a test that is not listed has three runs to pass.
    """
    ends = run_once(folder, plugin, results, arguments, path, **more)
    for _ in range(2):
        failed = {name for name, outcomes in ends.items() if name not in listed(guide) and "failed" in outcomes}
        if failed:
            print(f"once more: {', '.join(sorted(failed))}")
            again = run_once(folder, plugin, results, [*arguments, "-k", " or ".join(failed)], path, **more)
            ends.update({name: again[name] for name in failed})
    return ends


def run_once(
    folder: Path, plugin: str, results: Path, arguments: list[str], path: list[Path], **more: str
) -> dict[str, set[str]]:
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
    ends = run(sources / "redis-8.1.0", "redis_py_plugin", tmp_path / "results.xml", arguments, [], "redis_py.md")
    assert len(ends) == 34
    compare(ends, "redis_py.md", tmp_path / "results.xml")


def test_python_redis_lock(sources: Path, tmp_path: Path) -> None:
    folder = sources / "python_redis_lock-4.0.1" / "tests"
    arguments = ["-c", os.devnull, "--rootdir=.", "test_redis_lock.py"]
    results, guide = tmp_path / "results.xml", "python_redis_lock.md"
    ends = run(folder, "redis_lock_plugin", results, arguments, [folder], guide, REDIS_LOCK_TEST_TIMEOUT="4")
    assert len(ends) == 43
    compare(ends, "python_redis_lock.md", tmp_path / "results.xml")


def ports_of(started: list[Server]) -> str:
    return ",".join(str(server.port) for server in started)


def test_pottery(sources: Path, tmp_path: Path) -> None:
    arguments = ["-c", os.devnull, "--rootdir=.", "-o", "asyncio_mode=auto", "tests/test_redlock.py", "tests/test_aioredlock.py"]
    with servers(6) as started:
        ports, folder = ports_of(started), sources / "pottery-3.0.1"
        results, guide = tmp_path / "results.xml", "pottery.md"
        ends = run(folder, "pottery_plugin", results, arguments, [], guide, REDFENCE_SUITE_PORTS=ports)
    assert len(ends) == 38
    compare(ends, "pottery.md", tmp_path / "results.xml")


def run_mocha(modules: Path, results: Path, started: list[Server]) -> dict[str, set[str]]:
    """How each test of node-redlock ended, by its title behind `single-server` or `multi-server`."""
    names = ["error", "resource", "resource1", "resource2"]
    keys = {}
    for name in (f"Redlock:test:{name}" for name in names):
        keys[name] = "{redfence:%d}:lock:%s" % (binascii.crc_hqx(name.encode(), 0) % 1024, name)
    more = {"NODE_PATH": str(modules), "REDFENCE_PYTHON": sys.executable}
    suite = {"REDFENCE_SUITE_PORTS": ports_of(started), "REDFENCE_SUITE_KEYS": json.dumps(keys)}
    options = [f"--require={HERE / 'node' / 'suite.js'}", "--reporter=json"]
    done = subprocess.run(
        [modules / ".bin" / "mocha", *options, modules / "redlock" / "test.js"],
        cwd=modules.parent, env={**os.environ, **more, **suite}, timeout=LIMIT, capture_output=True, text=True,
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    report = json.loads(done.stdout)
    stats, tests = report["stats"], report["tests"]
    assert stats["pending"] == 0 and stats["passes"] + stats["failures"] == stats["tests"] == len(tests), done.stdout
    print(f"redlock-4.2.0: {stats['tests']} tests, {stats['passes']} passed, {stats['failures']} cannot pass")
    (results.parent / "output").write_text("\n".join(str(test["err"].get("stack")) for test in report["failures"]) + done.stderr)
    ends: dict[str, set[str]] = {}
    for test in tests:
        title = re.fullmatch(r"Redlock: (\w+-server:) \S+(?: \(string_numbers=true\))? (.+)", test["fullTitle"])
        assert title, test["fullTitle"]
        ends.setdefault(" ".join(title.groups()), set()).add("failed" if test["err"] else "passed")
    return ends


def test_node_redlock(sources: Path, tmp_path: Path) -> None:
    with servers(4) as started:
        ends = run_mocha(sources / "node" / "node_modules", tmp_path / "results", started)
    assert len(ends) == 112
    compare(ends, "node_redlock.md", tmp_path / "results")
