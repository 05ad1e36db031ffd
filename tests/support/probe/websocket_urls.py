from django.urls import include, re_path

from . import views

urlpatterns = [
    re_path("^probe/busy/", views.busy),
    re_path("^probe/events/", views.events),
    re_path("^probe/feed/", views.feed),
    re_path("^probe/talk/", views.talk),
    re_path("^probe/", views.socket),
    re_path("", include("project.websocket_urls")),
]
