"""gunicorn's configuration that says which modules a worker imports once it has booted."""

import sys


def post_worker_init(worker):
    worker.loaded = set(sys.modules)


def worker_exit(server, worker):
    if hasattr(worker, "loaded"):
        print("imported late:", *sorted(set(sys.modules) - worker.loaded), flush=True)
