from django.test import TestCase

from django_websocket.test import WebSocketClient


class ChatTest(TestCase):
    def test_a_message_reaches_everyone_in_the_room(self):
        client = WebSocketClient()
        with (
            client.connect("/ws/chat/lobby/") as ada,
            client.connect("/ws/chat/lobby/") as bob,
        ):
            ada.send_json({"text": "hello"})
            said = bob.receive_json()["data"]
            self.assertEqual(said, {"user": "guest", "text": "hello"})

    def test_the_loop_of_before_works(self):
        client = WebSocketClient()
        with (
            client.connect("/ws/classic/lobby/") as ada,
            client.connect("/ws/classic/lobby/") as bob,
        ):
            ada.send_json({"text": "hello"})
            said = bob.receive_json()
            self.assertEqual(said, {"user": "guest", "text": "hello"})
