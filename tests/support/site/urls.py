from django.http import HttpResponse
from django.urls import path

urlpatterns = [
    path("login/", lambda request: HttpResponse("Log in here."), name="login"),
]
