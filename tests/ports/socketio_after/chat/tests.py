from django.test import TestCase

from django_websocket.test import WebSocketClient


class ChatTest(TestCase):
    def connect(self, room, user):
        client = WebSocketClient()
        session = client.session
        session["user"] = user
        session.save()
        return client.connect(f"/chat/{room}/")

    def ask(self, socket, text):
        data = {"text": text}
        socket.send_json({"type": "ws.request", "id": "1", "data": data})

    def test_a_message_reaches_everyone_in_the_room(self):
        with (
            self.connect("lobby", "ada") as ada,
            self.connect("lobby", "bob") as bob,
        ):
            self.ask(ada, "hello")
            said = bob.receive_json()["data"]
            self.assertEqual(said, {"user": "ada", "text": "hello"})

    def test_an_empty_message_is_refused(self):
        with self.connect("lobby", "ada") as ada:
            self.ask(ada, " ")
            error = ada.receive_json()["error"]
            self.assertEqual(error["message"], "Say something.")
