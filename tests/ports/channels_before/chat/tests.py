from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client, TransactionTestCase
from mysite.asgi import application

from .models import Mute


class ChatTest(TransactionTestCase):
    def setUp(self):
        names = ("ada", "bob", "carol")
        self.ada, self.bob, self.carol = map(User.objects.create_user, names)

    @database_sync_to_async
    def cookie(self, user):
        client = Client()
        client.force_login(user)
        return f"sessionid={client.cookies['sessionid'].value}".encode()

    async def connect(self, path, user):
        cookie = await self.cookie(user)
        headers = [(b"cookie", cookie), (b"origin", b"http://testserver")]
        socket = WebsocketCommunicator(application, path, headers)
        connected, _ = await socket.connect()
        self.assertTrue(connected)
        return socket

    async def test_a_message_reaches_everyone_in_the_room(self):
        ada = await self.connect("/ws/chat/lobby/", self.ada)
        bob = await self.connect("/ws/chat/lobby/", self.bob)
        await ada.send_json_to({"text": "hello"})
        said = await bob.receive_json_from()
        self.assertEqual(said, {"user": "ada", "text": "hello"})
        await ada.disconnect()
        await bob.disconnect()

    async def test_somebody_who_is_muted_is_not_read(self):
        await Mute.objects.acreate(user=self.bob, muted=self.ada)
        ada = await self.connect("/ws/chat/lobby/", self.ada)
        bob = await self.connect("/ws/quiet/lobby/", self.bob)
        carol = await self.connect("/ws/chat/lobby/", self.carol)
        await ada.send_json_to({"text": "buy this"})
        await carol.receive_json_from()
        await carol.send_json_to({"text": "hello"})
        said = await bob.receive_json_from()
        self.assertEqual(said, {"user": "carol", "text": "hello"})
        for socket in (ada, bob, carol):
            await socket.disconnect()

    async def test_a_quiet_room_is_for_members(self):
        headers = [(b"origin", b"http://testserver")]
        socket = WebsocketCommunicator(application, "/ws/quiet/lobby/", headers)
        connected, _ = await socket.connect()
        self.assertFalse(connected)
