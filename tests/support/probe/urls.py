from django.urls import include, re_path

from . import views

urlpatterns = [
    re_path("^probe/announce/", views.announce),
    re_path("^probe/sessions/", views.sessions),
    re_path("^probe/", views.page),
    re_path("", include("project.urls")),
]
