"""A small Django project for tests that need a live WebSocket application of their own."""

import os

import dj_database_url

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
ROOT_URLCONF = "support.site.urls"
WEBSOCKET_URLCONF = "support.site.websocket_urls"
LOGIN_URL = "login"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_websocket",
]
MIDDLEWARE = [
    "django_websocket.middleware.HealthMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "support.site.world.Tenants",
    "support.site.middleware.Kinds",
    "support.site.middleware.Rebuilds",
]
# Django's default takes half a second, so that nobody can guess many.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_SAVE_EVERY_REQUEST = "SITE_SESSIONS" not in os.environ
SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ.get('SITE_SESSIONS', 'db')}"
DATABASES = {
    "default": dj_database_url.parse(os.environ["SITE_DATABASE"])
    | {"ATOMIC_REQUESTS": "SITE_AUTOCOMMIT" not in os.environ}
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Who reads waits for nobody, and who writes not for the disk.
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        "transaction_mode": "IMMEDIATE",
    }
if "SITE_CACHE" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["SITE_CACHE"],
        }
    }
if "SITE_ROLE" in os.environ:
    DATABASES["default"]["OPTIONS"]["assume_role"] = os.environ["SITE_ROLE"]
if "SITE_POOL" in os.environ:
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 0,
        "max_size": int(os.environ["SITE_POOL"]),
    }
WEBSOCKET_MAX_HUB_LAG = 0.5
WEBSOCKET_SESSION_CHECK_INTERVAL = float(os.environ.get("SITE_SESSION_CHECKS", 300))
WEBSOCKET_BROKER = os.environ.get("SITE_BROKER", "memory://")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
