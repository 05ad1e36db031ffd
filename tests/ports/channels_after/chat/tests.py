from django.contrib.auth.models import User
from django.test import TestCase

from django_websocket.test import WebSocketClient

from .models import Mute


class ChatTest(TestCase):
    def setUp(self):
        names = ("ada", "bob", "carol")
        self.ada, self.bob, self.carol = map(User.objects.create_user, names)

    def connect(self, path, user):
        client = WebSocketClient()
        client.force_login(user)
        return client.connect(path)

    def test_a_message_reaches_everyone_in_the_room(self):
        with (
            self.connect("/ws/chat/lobby/", self.ada) as ada,
            self.connect("/ws/chat/lobby/", self.bob) as bob,
        ):
            ada.send_json({"text": "hello"})
            said = bob.receive_json()["data"]
            self.assertEqual(said, {"user": "ada", "text": "hello"})

    def test_a_page_of_before_gets_what_it_got(self):
        with self.connect("/ws/plain/lobby/", self.ada) as ada:
            ada.send_json({"text": "hello"})
            said = ada.receive_json()
            self.assertEqual(said, {"user": "ada", "text": "hello"})

    def test_somebody_who_is_muted_is_not_read(self):
        Mute.objects.create(user=self.bob, muted=self.ada)
        with (
            self.connect("/ws/chat/lobby/", self.ada) as ada,
            self.connect("/ws/quiet/lobby/", self.bob) as bob,
            self.connect("/ws/chat/lobby/", self.carol) as carol,
        ):
            ada.send_json({"text": "buy this"})
            carol.send_json({"text": "hello"})
            said = bob.receive_json()["data"]
            self.assertEqual(said, {"user": "carol", "text": "hello"})

    def test_a_client_that_comes_back_gets_what_it_missed(self):
        with self.connect("/ws/chat/lobby/", self.ada) as ada:
            ada.send_json({"text": "hello"})
            last = ada.receive_json()["id"]
            ada.send_json({"text": "where are you?"})
            for kind in ("chat", "quiet"):
                path = f"/ws/{kind}/lobby/?since={last}"
                with self.connect(path, self.bob) as bob:
                    said = bob.receive_json()["data"]
                    self.assertEqual(said["text"], "where are you?")

    def test_a_quiet_room_is_for_members(self):
        socket = WebSocketClient().connect("/ws/quiet/lobby/")
        self.assertEqual(socket.response.status_code, 302)
