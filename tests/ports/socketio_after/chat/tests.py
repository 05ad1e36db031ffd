from django.test import TestCase

from django_websocket.test import WebSocketClient


class ChatTest(TestCase):
    def connect(self, room, user):
        client = WebSocketClient()
        session = client.session
        session["user"] = user
        session.save()
        return client.connect(f"/chat/{room}/")

    def test_a_message_reaches_everyone_in_the_room(self):
        with (
            self.connect("lobby", "ada") as ada,
            self.connect("lobby", "bob") as bob,
        ):
            ada.request("say", {"text": "hello"})
            said = bob.receive_json()["data"]
            self.assertEqual(said, {"user": "ada", "text": "hello"})

    def test_an_empty_message_is_refused(self):
        with self.connect("lobby", "ada") as ada:
            answer = ada.request("say", {"text": " "})
            self.assertEqual(answer["error"]["message"], "Say something.")
