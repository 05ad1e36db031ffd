"""Hosts that boot, a controller that provisions them, and a site that serves."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "lab")]

import machine  # noqa: E402
from laboratory import Laboratory  # noqa: E402


@pytest.fixture(scope="session")
def laboratory():
    """The lab, one for each of pytest's workers; skips where no host can be booted, says why."""
    if reason := machine.why_not():
        pytest.skip(reason)
    laboratory = Laboratory(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
    try:
        yield laboratory.open()
    finally:
        laboratory.close()
