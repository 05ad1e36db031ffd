from django.test import TestCase

from django_websocket.test import WebSocketClient


class ChatTest(TestCase):
    def test_what_a_page_publishes_reaches_the_room(self):
        client = WebSocketClient()
        with client.connect("/chat/lobby/") as socket:
            client.post("/chat/lobby/", {"text": "hello"})
            said = socket.receive_json()["data"]
            self.assertEqual(said, {"user": "guest", "text": "hello"})
