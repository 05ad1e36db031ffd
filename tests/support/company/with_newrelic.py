"""``newrelic-admin`` leaves handshakes out. See docs/how-to/trace-sockets.md."""

import newrelic.agent
from django.core.signals import got_request_exception
from django.dispatch import receiver

from .settings import *  # noqa: F403

MIDDLEWARE = ["support.company.with_newrelic.trace_handshake", *MIDDLEWARE]  # noqa: F405


def trace_handshake(get_response):
    def middleware(request):
        if getattr(request, "websocket", None) is None:
            return get_response(request)
        with newrelic.agent.WebTransaction(
            newrelic.agent.application(), "WebSocket",
            request_method=request.method, request_path=request.path,
        ) as transaction:  # fmt: skip
            response = get_response(request)
            if request.resolver_match is not None:
                transaction.set_transaction_name(request.resolver_match.route, group="WebSocket")
            transaction.process_response(response.status_code, response.items())
            return response

    return middleware


@receiver(got_request_exception)
def notice_exception(request, **kwargs):
    if newrelic.agent.current_transaction() is None:  # the handshake's has ended
        newrelic.agent.notice_error(
            attributes={"route": request.resolver_match.route},
            application=newrelic.agent.application(),
        )
