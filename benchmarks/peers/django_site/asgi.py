"""The same for Channels, in the stack that its documentation recommends."""

from django.core.asgi import get_asgi_application

# Django is set up before anything that needs its apps is imported.
get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.urls import path  # noqa: E402


class Echo(AsyncWebsocketConsumer):
    #: There is no layer of this name: an echo needs none.
    channel_layer_alias = "none"

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data, bytes_data)


class PrivateEcho(Echo):
    async def connect(self) -> None:
        if self.scope["user"].is_authenticated:
            await self.accept()
        else:
            await self.close()


class Subscriber(AsyncWebsocketConsumer):
    groups = ("fanout",)

    async def fanout_message(self, event: dict[str, str]) -> None:
        await self.send(event["text"])


application = ProtocolTypeRouter(
    {
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("private/", PrivateEcho.as_asgi()),
                        path("public/", Echo.as_asgi()),
                        path("fanout/", Subscriber.as_asgi()),
                    ]
                )
            )
        )
    }
)
