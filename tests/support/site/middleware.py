"""Middleware of the kinds that people write."""

from django.http import HttpResponse


class Busy(Exception):
    """Some service has no time."""


class BrokenBeyondRepair(Exception):
    """The middleware cannot bear it either."""


class Kinds:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        request.middleware_is_done = True
        response.set_cookie("last-path", request.path)
        return response

    def process_exception(self, request, exception):
        if isinstance(exception, Busy):
            return HttpResponse(status=429)
        if isinstance(exception, BrokenBeyondRepair):
            raise exception
        return None
