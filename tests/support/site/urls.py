"""Pages that change who is who; those of a real site do the same."""

from datetime import timedelta

from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import path

from django_websocket.auth.sessions import disconnect_user


def log_in(request, name):
    login(request, User.objects.get(username=name))
    return HttpResponse(request.user.username)


def log_out(request):
    logout(request)
    return HttpResponse()


def change_password(request):
    request.user.set_password("new")
    request.user.save()
    update_session_auth_hash(request, request.user)
    return HttpResponse()


def cycle(request):
    request.session.cycle_key()
    return HttpResponse()


def delete(request):
    """As clearsessions or SQL would: no signal, and the browser keeps its cookie."""
    request.session.delete(request.session.session_key)
    request.session.modified = False
    return HttpResponse()


def expire(request):
    """In the store; the browser keeps its cookie."""
    request.session.set_expiry(timedelta(seconds=0.2))
    request.session.save()
    request.session.modified = False
    return HttpResponse()


def deactivate(request, name):
    user = User.objects.get(username=name)
    user.is_active = False
    user.save()
    return HttpResponse()


def disconnect(request, name):
    disconnect_user(User.objects.get(username=name), 4000)
    return HttpResponse()


def change_password_of(request, name):
    user = User.objects.get(username=name)
    user.set_password("new")
    user.save()
    return HttpResponse()


def write(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse()


urlpatterns = [
    path("login/", lambda request: HttpResponse("Log in here."), name="login"),
    path("login/<str:name>/", log_in),
    path("logout/", log_out),
    path("password/", change_password),
    path("password-of/<str:name>/", change_password_of),
    path("deactivate/<str:name>/", deactivate),
    path("disconnect/<str:name>/", disconnect),
    path("write/", write),
    path("cycle/", cycle),
    path("deleted/", delete),
    path("expired/", expire),
]
