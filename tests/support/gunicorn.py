"""The shipped configuration of the gunicorns, read in a process that it may patch."""

import json
import subprocess
import sys

from .server import ROOT

_SCRIPT = """
import json, runpy, sys
values = runpy.run_path(sys.argv[1])
print(json.dumps({name: value for name, value in values.items() if isinstance(value, int | str)}))
"""


def shipped_settings(kind: str) -> dict[str, int | str]:
    """Those of ``http`` or ``websocket``, in this process' environment."""
    return read_settings([sys.executable], kind)


def read_settings(python: list[str], kind: str) -> dict[str, int | str]:
    """The same as the command ``python`` reads them."""
    config = ROOT / "deploy" / "gunicorn" / f"{kind}.py"
    answer = subprocess.run(
        [*python, "-c", _SCRIPT, config], check=True, capture_output=True, text=True
    )
    return json.loads(answer.stdout)
