"""The lab leaves nothing behind, whatever ended a run."""

import os
import signal
import subprocess

import leftovers
import pytest

pytestmark = pytest.mark.timeout(300)


def test_a_host_whose_run_was_killed_can_be_ended(laboratory):
    (host,) = laboratory.boot("orphan")
    manager = subprocess.run(
        ["pgrep", "--full", "--", "--machine=orphan"], check=True, capture_output=True, text=True
    )
    os.kill(int(manager.stdout), signal.SIGKILL)
    assert host.ssh("echo still here") == "still here\n"
    leftovers.discard(host.label)
    assert leftovers.guests(host.label) == []
