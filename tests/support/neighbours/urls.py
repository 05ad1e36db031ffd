"""Pages, on the URLs of sockets."""

from django.http import HttpResponse
from django.urls import path

page_names = ["shared", "asked-first", "refused-with-200", "cached"]
urlpatterns = [
    path(f"{name}/", lambda request: HttpResponse("the page"), name=name) for name in page_names
]
