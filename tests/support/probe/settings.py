from project.settings import *  # noqa: F403

ROOT_URLCONF = "support.probe.urls"
WEBSOCKET_URLCONF = "support.probe.websocket_urls"
MIDDLEWARE = ["support.probe.middleware.name_the_server", *MIDDLEWARE]  # noqa: F405
