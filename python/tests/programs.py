"""Programs that the tests run as processes of their own."""

import json
import subprocess
import sys
import textwrap
from typing import Any

from servers import PROMPT

HEAD = """
import json, os, signal, sys, threading, time
import redfence
urls, settings = json.loads(sys.argv[1])
def connect(**more):
    return redfence.connect(urls, **{**settings, **more})
def say(*words):
    print(*words, flush=True)
"""


class Program:
    """A Python program over the servers of a test."""

    def __init__(self, text: str, urls: list[str], settings: dict[str, Any]) -> None:
        command = [sys.executable, "-c", HEAD + textwrap.dedent(text), json.dumps([urls, settings])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self) -> str:
        """The next line that it says. A program that ends or hangs fails the test when it is waited for."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[int, list[str], str]:
        """Waits for the end: exit code, the lines that were left, and what went to standard error."""
        try:
            out, errors = self.process.communicate(timeout=2 * PROMPT)
        finally:
            self.process.kill()
        return self.process.returncode, out.splitlines(), errors

    def lines(self) -> list[str]:
        """All that it says, if it ends well and without complaints."""
        code, lines, errors = self.end()
        assert (code, errors) == (0, ""), f"exit code {code}, said {lines}\n{errors}"
        return lines
