"""A chat client without this library, written from docs/reference/client-protocol.md.

``chat.py URL NAME`` reads commands, a JSON array a line, and prints what they give:
``["say", text]`` the answer, ``["hear"]`` the next text of the room, ``["reconnect"]`` the text
that was missed.
"""

import json
import sys
from itertools import count

from websockets.sync.client import connect

url, name = sys.argv[1:]
numbers = count(1)
last = "0"  # the id of the last message of the room: all that is kept


def open_socket():
    return connect(f"{url}?since={last}", proxy=None)


def receive(wanted):
    """The next message that is wanted. A heartbeat is not asked for, and so does not come."""
    global last
    while True:
        message = json.loads(socket.recv(timeout=60))
        if "id" in message and "channel" in message:
            last = message["id"]
        if wanted(message):
            return message


def is_text(message):
    return "channel" in message and "text" in (message.get("data") or {})


def say(text):
    number = f"{name}-{next(numbers)}"
    event = {"type": "say", "name": name, "colour": "#1a2b3c", "text": text}
    socket.send(json.dumps({"type": "ws.request", "id": number, "data": event}))
    reply = receive(lambda message: message.get("id") == number)
    return reply.get("error") or reply["data"]


socket = open_socket()
for line in sys.stdin:
    command, *arguments = json.loads(line)
    if command == "say":
        result = say(*arguments)
    elif command == "leave":
        result = socket.close()
    else:
        if command == "reconnect":
            socket = open_socket()
        result = receive(is_text)["data"]["text"]
    print(json.dumps(result), flush=True)
socket.close()
