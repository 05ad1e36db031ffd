"""In a process of its own, where gevent has patched threads, as under a worker."""

import json
import os
import subprocess
import sys

from support.server import ROOT

SCRIPT = """
from gevent import monkey; monkey.patch_all()
import json, logging, threading
from django.conf import settings
settings.configure(WEBSOCKET_SESSION_CHECK_INTERVAL=0.5)
import django; django.setup()
logging.disable()
from django_websocket.auth.schedule import Schedule
from django_websocket.auth.review import OpenSocket, open_sockets

class Socket: pass
first, second, ended = Socket(), Socket(), Socket()
opened = OpenSocket(None)
names = {first: "first", second: "second", ended: "ended"}
calls = []
done = threading.Event()

def fails(sockets):
    raise RuntimeError

def note(sockets):
    calls.append([names[socket] for socket, _ in sockets])

def last(sockets):
    note(sockets)
    done.set()

open_sockets.update({first: opened, second: opened})
schedule = Schedule()
schedule.add(last, [(second, opened)], 0.5)
schedule.add(fails, [(first, opened)])
schedule.add(note, [(first, opened), (ended, opened)])
schedule.add(note, [(second, opened)])
done.wait(60)
print(json.dumps([calls, schedule.thread.is_alive()]))
"""


def test_what_is_due_is_done_at_once_and_an_error_ends_nothing():
    run = [sys.executable, "-c", SCRIPT]
    env = os.environ | {"PYTHONPATH": str(ROOT / "app")}
    calls, alive = json.loads(subprocess.check_output(run, env=env, text=True))
    assert alive
    assert calls == [["first", "second"], ["second"]]
