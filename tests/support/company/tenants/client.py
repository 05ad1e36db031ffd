"""Asks the tenants' sockets with the test client, as a project's own tests would."""

import json

import django

django.setup()

from django_websocket.test import WebSocketClient  # noqa: E402

NAMES = ("acme", "globex", "public")

answers = []
for name in NAMES * 2:
    host = "localhost" if name == "public" else f"{name}.localhost"
    with WebSocketClient().connect("/company/people/", headers={"Host": host}) as socket:
        for question in ("now", "slow", "now"):
            socket.send(question)
            answers.append(socket.receive_json())
print(json.dumps(answers))
