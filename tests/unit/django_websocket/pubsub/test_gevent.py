"""The same under gevent, where threads are greenlets, as in a WebSocket worker."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.server import ROOT

HERE = Path(__file__).parent
FILES = (
    *("test_dispatcher.py", "test_reader.py", "roster/test_announcer.py", "test_one_channel.py"),
    *(
        "test_at_once.py",
        "test_history.py",
        "test_encodingqueue.py",
        "brokers/redis/test_broker.py",
    ),
)


@pytest.mark.parametrize("name", FILES)
def test_under_gevent(name):
    run = subprocess.run(
        [
            *(sys.executable, "-m", "gevent.monkey", "--module", "pytest"),
            *("-q", "--no-header", "-k", "not silent and not start and not Sentinel"),
            HERE / name,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
