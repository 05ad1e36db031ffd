"""Runs a script, or a module, after gevent has patched the standard library.

    python …/patched.py manage.py runserver
    python …/patched.py -m django runserver

``python -m gevent.monkey`` does nearly the same, but omits the script's folder from ``sys.path``.
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import os
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gevent import get_hub

#: The environment variable with the descriptor of the pipe's end that the new Python reads.
_LIFELINE = "DJANGO_WEBSOCKET_LIFELINE"

_READ = 1  # of libev


@contextmanager
def lifeline(environ: dict[str, str]) -> Iterator[None]:
    """Let programs that are started with ``environ`` end when this process does, even by SIGKILL.

    They inherit the reading end of a pipe, which is at its end once nobody can write to it.
    """
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    environ[_LIFELINE] = str(reading)
    try:
        yield
    finally:
        os.close(reading)
        os.close(writing)


def end_with_parent() -> Any:
    """End by SIGTERM when the process that holds the lifeline has gone; returns the watcher."""
    descriptor = os.environ.pop(_LIFELINE, None)
    if descriptor is None:
        return None
    os.set_inheritable(int(descriptor), False)
    watcher: Any = get_hub().loop.io(int(descriptor), _READ, ref=False)

    def end() -> None:
        watcher.stop()
        os.kill(os.getpid(), signal.SIGTERM)

    watcher.start(end)
    return watcher


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
    _watcher = end_with_parent()
    run(sys.argv[1:])
