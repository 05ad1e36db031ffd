from django.db import DatabaseError, connection
from django.http import HttpResponse


class ReadinessMiddleware:
    """/-/ready: this process reaches its database. For pages and sockets alike."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path_info != "/-/ready":
            return self.get_response(request)
        try:
            connection.ensure_connection()
        except DatabaseError:
            return HttpResponse("no database\n", status=503, content_type="text/plain")
        return HttpResponse("ready\n", content_type="text/plain")
