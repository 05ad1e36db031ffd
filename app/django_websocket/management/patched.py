"""Runs a script, or a module, after gevent has patched the standard library.

    python …/patched.py manage.py runserver
    python …/patched.py -m django runserver

``python -m gevent.monkey`` does nearly the same, but omits the script's folder from ``sys.path``.
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import runpy
import sys
from pathlib import Path


def run(arguments: list[str]) -> None:
    """Run ``arguments`` as Python runs those of its command line."""
    if arguments[0] == "-m":
        sys.argv[:], folder = arguments[1:], Path.cwd()
    else:
        sys.argv[:], folder = arguments, Path(arguments[0]).absolute().parent
    if not sys.flags.safe_path:
        sys.path[0] = str(folder)  # where this file is
    if arguments[0] == "-m":
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    run(sys.argv[1:])
