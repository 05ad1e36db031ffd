from django.urls import path

from .consumers import ChatConsumer, QuietChatConsumer

websocket_urlpatterns = [
    path("ws/chat/<slug:room>/", ChatConsumer.as_asgi()),
    path("ws/quiet/<slug:room>/", QuietChatConsumer.as_asgi()),
]
