def name_the_server(get_response):
    """Tell in every response which gunicorn made it: its pid, and "pages" or "sockets"."""

    def middleware(request):
        response = get_response(request)
        response["X-Server"] = server(request)
        return response

    return middleware


def server(request):
    """Our greenlet worker names gevent in SERVER_SOFTWARE; the threaded one does not."""
    return "sockets" if "gevent" in request.META["SERVER_SOFTWARE"] else "pages"
