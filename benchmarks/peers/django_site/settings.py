"""The project's own settings; only the apps and the URLs are the benchmark's."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as PROJECT_APPS

INSTALLED_APPS = [app for app in PROJECT_APPS if app not in {"chat", "examples"}]
ROOT_URLCONF = WEBSOCKET_URLCONF = "django_site.websocket_urls"
