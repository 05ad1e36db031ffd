"""A urlconf with a pattern that Django's own checks refuse."""

from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("/starts-with-a-slash/", lambda request: HttpResponse())]
