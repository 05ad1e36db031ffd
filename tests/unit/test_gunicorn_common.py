"""What the stack's two gunicorns have in common: ``deploy/gunicorn/common.py``."""

import subprocess
import sys

from support.server import PATIENCE, ROOT

FORK = """
import gc, runpy, sys
from django.conf import settings
settings.configure()
common = runpy.run_path(sys.argv[1])
common["pre_fork"](None, type("Worker", (), {"age": 2}))
print(gc.get_freeze_count() > 10_000, len(gc.get_objects()) < 1_000)
"""


def test_workers_share_what_the_master_has_loaded():
    run = subprocess.run(
        [sys.executable, "-c", FORK, ROOT / "deploy/gunicorn/common.py"],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert run.stdout == "True True\n"
