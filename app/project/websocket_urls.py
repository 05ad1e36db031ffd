"""Sockets. The pages' URLs are in urls.py; a page and its socket may share one."""

from django.urls import include, path

urlpatterns = [
    path("", include("examples.websocket_urls")),
    path("chat/", include("chat.websocket_urls")),
]
