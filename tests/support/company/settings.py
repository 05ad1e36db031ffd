"""The project, and below /company/ sockets that end in every way."""

from project.settings import *  # noqa: F403

WEBSOCKET_URLCONF = "support.company.websocket_urls"

# Pages need no files here.
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
