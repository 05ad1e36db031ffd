"""Pages. The sockets' URLs are in websocket_urls.py; a page and its socket may share one."""

from django.contrib import admin
from django.contrib.auth.urls import urlpatterns as auth_urls
from django.urls import include, path

from .accounts import SignUp

urlpatterns = [
    path("", include("examples.urls")),
    path("chat/", include("chat.urls")),
    path("accounts/signup/", SignUp.as_view(), name="signup"),
    path("accounts/", include(auth_urls)),
    path("admin/", admin.site.urls),
]
