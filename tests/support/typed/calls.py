"""What a type checker says to calls: see views.py."""

from decimal import Decimal

from django.contrib.auth.models import User
from django.http import HttpRequest

from django_websocket import (
    disconnect_user,
    get_wsgi_websocket_application,
    presence,
    publish,
    publish_on_commit,
    publish_to_user,
    publish_to_user_on_commit,
    recheck_permissions,
    retract,
    reverse_websocket,
    subscribe,
    user_channel,
)
from django_websocket.test import WebSocketClient

# Right


def right(request: HttpRequest, user: User) -> str:
    posted = publish("prices", {"price": Decimal("1.20")}, history=10, ttl=60)
    publish_on_commit("prices", b"raw", using="default")
    retract("prices", posted)
    retract(user_channel(user), publish_to_user(request.user, {"text": "hello"}, ttl=60))
    publish_to_user_on_commit(user, "hello", using="default")
    with subscribe("prices", "news", since="0", timeout=1) as messages:
        for message in messages:
            print(message.id, message.channel, message.data)
    names: dict[str, int] = presence("prices")
    disconnect_user(user, 4403, "over")
    disconnect_user(request.user)
    recheck_permissions(user, user)
    with WebSocketClient().connect("/echo/", subprotocols=["chat"]) as session:
        session.send("hello")
        received: str | bytes | None = session.receive(timeout=5)
    return reverse_websocket("echo", args=[received], kwargs=names, request=request)


application = get_wsgi_websocket_application()

# Wrong


def wrong(user: User) -> None:
    publish(5, "text")  # error
    publish("prices")  # error
    publish("prices", "text", histroy=5)  # error
    publish("prices", "text", history="all")  # error
    publish("prices", "text") + 1  # error
    publish_on_commit("prices", "text", on="default")  # error
    retract("prices", 5)  # error
    publish_to_user("ada", "text")  # error
    publish_to_user(user)  # error
    publish_to_user_on_commit(user, "text", history="all")  # error
    user_channel(5)  # error
    subscribe(5)  # error
    subscribe("prices", timeout="5")  # error
    for message in subscribe("prices"):  # error
        print(message)
    presence()  # error
    disconnect_user("ada")  # error
    disconnect_user(user.pk, reason=5)  # error
    recheck_permissions([user])  # error
    reverse_websocket("echo", request="request")  # error
    WebSocketClient().connect("/echo/", subprotocols="chat")  # error
    WebSocketClient().connect("/echo/").send({"text": "hello"})  # error
    WebSocketClient().connect("/echo/").recieve()  # error
