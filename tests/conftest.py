import os

import pytest

from support.stack import ROOT, Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """The shipped stack, once for the whole run; afterwards nothing of it may be left running."""
    stack = Stack(
        tmp_path_factory.mktemp("stack") / "state",
        DJANGO_SETTINGS_MODULE="support.probe.settings",
        PYTHONPATH=os.pathsep.join([str(ROOT / "app"), str(ROOT / "tests")]),
    )
    yield stack.start()
    stack.stop()
