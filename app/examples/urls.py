"""The examples' pages."""

from django.urls import path

from . import views

app_name = "examples"
urlpatterns = [
    path("", views.index, name="index"),
    path("favicon.ico", views.favicon),
    *(path(f"{name}/", views.example, {"name": name}, name=name) for name in views.NAMES),
]
