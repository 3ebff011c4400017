"""The blocks of the migration guides, as they stand there: Python before and after, and JavaScript before the change."""

import ast
import asyncio
import inspect
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import redfence

PAGES = Path(__file__).parents[2] / "docs" / "migration"


def blocks_of(page: Path, language: str, urls: list[str]) -> list[tuple[str, str]]:
    """Each block with `Before` or `After`. The servers a, b and c of the pages are those that the tests started."""
    blocks = re.findall(rf"^(Before|After):\n\n```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks, f"{page} has no {language}"
    for name, url in zip("abc", urls):
        blocks = [(when, code.replace(f"redis://{name}:6379", url)) for when, code in blocks]
    return blocks


def run(code: str, names: dict[str, object]) -> None:
    compiled = compile(code, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if not compiled.co_flags & inspect.CO_COROUTINE:
        exec(compiled, names)
        return

    async def awaited() -> None:
        await eval(compiled, names)

    asyncio.run(awaited())


@pytest.mark.parametrize("name", ["python-redis-lock", "redis-py"])
def test_python_runs_before_and_after_the_change(name: str, urls: list[str]) -> None:
    # What the pages take for granted.
    redfence.connect(urls, new_installation=True)
    blocks = blocks_of(PAGES / f"{name}.md", "python", urls)
    assert len(blocks) >= 12 and [when for when, _ in blocks] == ["Before", "After"] * (len(blocks) // 2)
    # The first pair has what the others need.
    setups = dict(blocks[:2])
    for when, code in blocks:
        names: dict[str, object] = {}
        run(setups[when], names)
        run(code, names)


def test_javascript_runs_before_the_change(urls: list[str]) -> None:
    node, suites = shutil.which("node"), os.environ.get("REDFENCE_SUITES")
    assert node and suites, "run scripts/python-test, which fetches node-redlock"
    environment = {**os.environ, "NODE_PATH": str(Path(suites) / "node" / "node_modules")}
    blocks = [code for when, code in blocks_of(PAGES / "node-redlock.md", "js", urls) if when == "Before"]
    assert len(blocks) >= 6
    for code in blocks[1:]:
        script = f"(async () => {{\n{blocks[0]}\n{code}\n}})().then(() => process.exit(0), (e) => {{ console.error(e); process.exit(1); }});"
        done = subprocess.run([node, "-e", script], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, code + done.stderr
