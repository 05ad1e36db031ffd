"""The project, and a second host with pages and sockets of its own."""

from support.company.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "django_hosts"]  # noqa: F405
MIDDLEWARE = [
    "django_hosts.middleware.HostsRequestMiddleware",
    *MIDDLEWARE,  # noqa: F405
    "django_hosts.middleware.HostsResponseMiddleware",
]
ROOT_HOSTCONF = "support.company.hosts.hosts"
DEFAULT_HOST = "main"
LOGIN_URL = "login"
ALLOWED_HOSTS = [".localhost"]
WEBSOCKET_URLCONF = {
    ROOT_URLCONF: "project.websocket_urls",  # noqa: F405
    "support.company.hosts.pages": "support.company.hosts.websocket_urls",
}
