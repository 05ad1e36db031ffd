"""The load tool against a real server."""

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from django_websocket.load import main
from support.server import OUR_WORKER, PATIENCE, ROOT, serve

QUICKLY = ("--sockets", "20", "--rate", "500", "--seconds", "0.5")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve("support.raw_app", OUR_WORKER, tmp_path_factory.mktemp("load") / "log") as server:
        yield server


def test_every_socket_opens_and_every_message_comes_back(server, capsys, tmp_path):
    picture = tmp_path / "times.svg"
    url = server.url("/echo")
    assert main([url, *QUICKLY, "--publish", "40", "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("20 of 20 sockets opened\nhandshake  50 % ")
    assert "20 messages sent, received 20 times: by 1.0 sockets each" in said
    assert re.search(r"delivery   50 % [\d.]+ ms, 90 % ", said)
    assert len(ElementTree.parse(picture).findall("{*}polyline")) == 2


def test_as_a_program_it_needs_no_django(server):
    code = (
        "import sys; from django_websocket.load import main\n"
        f"status = main([{server.url('/echo')!r}, '--sockets', '1', '--seconds', '0'])\n"
        "sys.exit(status or 'django.conf' in sys.modules)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "app")}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE, env=env)


def test_refusals_are_counted_by_kind(server, capsys):
    assert main([server.url("/refuse"), *QUICKLY]) == 1
    assert capsys.readouterr().out == "0 of 20 sockets opened; 20 x HTTP 403\n"


def test_nobody_there(capsys):
    assert main(["ws://127.0.0.1:9/", "--sockets", "2", "--seconds", "0"]) == 1
    assert "0 of 2 sockets opened; 2 x ConnectionRefusedError" in capsys.readouterr().out


def test_sockets_that_the_server_closes_are_counted_by_code(server, capsys):
    message = ("--publish", "10", "--message", "x" * 2_000_000 + "{marker}")
    assert main([server.url("/echo"), *QUICKLY, *message]) == 1
    assert "5 sockets closed by the server; 5 x 1009" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["http://localhost/"], "expected ws:// or wss://"),
        (["ws://localhost/", "--sockets", "0"], "expected a number from 1, found '0'"),
        (["ws://localhost/", "--sockets", "many"], "expected a number from 1, found 'many'"),
        (["ws://localhost/", "--rate", "nan"], "expected a number from 0.01, found 'nan'"),
        (["ws://localhost/", "--sockets", "10000000"], "raise ulimit -n"),
        (["ws://localhost/", "--message", "hello"], "expected {marker} in --message"),
        (["ws://localhost/", "--header", "Cookie"], "expected --header 'Name: value'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, problem, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert problem in capsys.readouterr().err
