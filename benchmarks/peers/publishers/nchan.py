"""Publish each line of the standard input to nchan, over a WebSocket: python nchan.py PORT"""

import sys
import threading

from websockets.sync.client import connect

with connect(f"ws://127.0.0.1:{sys.argv[1]}/publish/", compression=None) as socket:
    # It answers each message; we do not wait for the answers.
    threading.Thread(target=lambda: list(socket), daemon=True).start()
    for line in sys.stdin:
        socket.send(line.rstrip("\n"))
