from django.http import HttpResponse
from django.template import engines
from django.urls import path


def link(request):
    """The URL of a socket, as a page of this host has it."""
    template = engines["django"].from_string("{% load websockets %}{% websocket_url 'stock' %}")
    return HttpResponse(template.render({}, request))


urlpatterns = [path("link/", link), path("enter/", link, name="login")]
