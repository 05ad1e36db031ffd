from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .models import Mute


class ChatConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.group = "chat_" + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content):
        user = self.scope["user"].get_username() or "guest"
        event = {"type": "chat.message", "user": user, "text": content["text"]}
        await self.channel_layer.group_send(self.group, event)

    async def chat_message(self, event):
        await self.send_json({"user": event["user"], "text": event["text"]})


class QuietChatConsumer(ChatConsumer):
    async def connect(self):
        if self.scope["user"].is_authenticated:
            await super().connect()
        else:
            await self.close()

    async def disconnect(self, code):
        if hasattr(self, "group"):
            await super().disconnect(code)

    async def chat_message(self, event):
        if not await self.is_muted(event["user"]):
            await super().chat_message(event)

    @database_sync_to_async
    def is_muted(self, name):
        user = self.scope["user"]
        return Mute.objects.filter(user=user, muted__username=name).exists()
