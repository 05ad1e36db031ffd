from project.settings import *  # noqa: F403

WEBSOCKET_URLCONF = "no.such.module"
