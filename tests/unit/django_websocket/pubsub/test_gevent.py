"""The same under gevent, where threads are greenlets, as in a WebSocket worker."""

import subprocess
import sys
from pathlib import Path

from support.server import ROOT

HERE = Path(__file__).parent
FILES = ("test_hub.py", "test_reader.py", "test_attendance.py", "redis/test_broker.py")


def test_under_gevent():
    run = subprocess.run(
        [
            *(sys.executable, "-m", "gevent.monkey", "--module", "pytest"),
            *("-q", "--no-header", "-k", "not silent and not start and not Sentinel"),
            *(HERE / name for name in FILES),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
