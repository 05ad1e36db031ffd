"""Clients in other languages, written from docs/reference/client-protocol.md alone, chat."""

import json
import shutil
import subprocess
import sys

import pytest

from support.stack import ROOT, needs_our_worker

CLIENTS = ROOT / "tests/support/clients"


def node():
    """Node with a WebSocket of its own: by default since 22."""
    for flags in ([], ["--experimental-websocket"]):
        command = ["node", *flags]
        probe = [*command, "--eval", "process.exit(globalThis.WebSocket ? 0 : 1)"]
        if shutil.which("node") and subprocess.run(probe, capture_output=True).returncode == 0:
            return [*command, "--no-warnings", CLIENTS / "chat.mjs"]
    return None


COMMANDS = {"python": [sys.executable, CLIENTS / "chat.py"], "node": node()}


class Client:
    def __init__(self, command, stack, name):
        url = f"ws://localhost:{stack.port}/chat/other-clients/"
        self._process = subprocess.Popen(
            [*command, url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, *command):
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0 or error[0]


@needs_our_worker
@pytest.mark.parametrize("language", COMMANDS)
def test_a_client_talks_gets_answers_and_resumes(stack, language):
    command = COMMANDS[language]
    if command is None:
        pytest.skip("expected Node 20 or later")
    words = [f"{language} {number}" for number in range(4)]
    with Client(command, stack, "Ada") as ada, Client(command, stack, "Grace") as grace:
        assert ada.do("say", words[0])["id"]
        while grace.do("hear") != words[0]:
            pass
        assert grace.do("say", "")["fields"] == {"text": ["Write something first."]}
        grace.do("leave")
        for text in words[1:3]:
            ada.do("say", text)
        assert grace.do("reconnect") == words[1]
        assert grace.do("hear") == words[2]
        ada.do("say", words[3])
        assert grace.do("hear") == words[3]
