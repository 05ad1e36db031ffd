"""A site that listens to its sockets' signals."""

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django_websocket"]
MIDDLEWARE = []
ROOT_URLCONF = WEBSOCKET_URLCONF = "support.site.signalled"
SITE_LISTENS = True
