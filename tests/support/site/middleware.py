"""Middleware of the kinds that people write."""

import copy
import threading

from django.http import HttpResponse, StreamingHttpResponse

from support.server import PATIENCE


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


class Rebuilds:
    """Makes of each response what ``X-Rebuild`` names, as compressors and their like do."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if (kind := request.headers.get("X-Exit")) is not None:
            from .websocket_urls import EXITS

            raise EXITS[kind]()
        response = self.get_response(request)
        rebuild = getattr(self, request.headers.get("X-Rebuild", "same"))
        return rebuild(response)

    @staticmethod
    def same(response):
        return response

    @staticmethod
    def anew(response):
        return HttpResponse(response.content, status=response.status_code, headers=response.headers)

    @staticmethod
    def streaming(response):
        return StreamingHttpResponse(iter(response), status=response.status_code)

    @staticmethod
    def switching(response):
        return HttpResponse(status=101)

    @staticmethod
    def early(response):
        return HttpResponse(status=103)

    kept = None

    def stale(self, response):
        """The first response that it has seen, as a cache of objects would."""
        if self.kept is None:
            self.kept = response
        return self.kept

    @staticmethod
    def copied(response):
        return copy.copy(response)

    @staticmethod
    def forbidden(response):
        response.status_code = 403
        return response

    @staticmethod
    def answered(response):
        return HttpResponse("a page")


class Answers:
    """Passes responses on while ``go_on`` is set, in the process of a test."""

    held = threading.Event()
    go_on = threading.Event()
    go_on.set()

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        self.held.set()
        self.go_on.wait(PATIENCE)
        return response
