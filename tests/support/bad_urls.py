"""A urlconf with a pattern that Django's own checks refuse."""

from django.urls import path

from .named_urls import socket

urlpatterns = [path("/starts-with-a-slash/", socket)]
