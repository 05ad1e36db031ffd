"""Django's settings, each fed by an environment variable and safe without one.

With nothing set, the project runs on SQLite behind the local nginx, with DEBUG off and a secret
key that it makes itself. Everything it writes is in STATE_DIR.
"""

from pathlib import Path

import django
from environs import FileAwareEnv, validate

from django_websocket.logs import JSON_FORMATTER

from .secret_key import read_or_make

env = FileAwareEnv()

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env("STATE_DIR", default=str(BASE_DIR.parent / "var"))).resolve()

DEBUG = env.bool("DJANGO_DEBUG", default=False)
SECRET_KEY = env("DJANGO_SECRET_KEY", default="") or read_or_make(STATE_DIR / "secret_key")
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django_websocket",  # above staticfiles, for its runserver
    "chat",
    "examples",  # above admin, for its pages of accounts
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django_websocket.middleware.HealthMiddleware",
    "django_websocket.middleware.MetricsMiddleware",
    "django_websocket.middleware.RequestIDMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "project.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
WEBSOCKET_URLCONF = "project.websocket_urls"
WSGI_APPLICATION = "project.wsgi.application"

# Sockets -----------------------------------------------------------------------------------------

WEBSOCKET_SERVER = env("WEBSOCKET_SERVER", default=None)
WEBSOCKET_ALLOWED_ORIGINS: list[str] = env.list("WEBSOCKET_ALLOWED_ORIGINS", default=[])

# A path to the socket that `make run` starts Redis on. A host names its own.
REDIS_URL = env("REDIS_URL", default=f"unix://{STATE_DIR / 'run' / 'redis.sock'}")
WEBSOCKET_BROKER = REDIS_URL

# A room's last 100 messages are smaller, unless somebody wants to fill Redis.
WEBSOCKET_HISTORY_SIZE = 1024 * 1024

# Without one, each process has a cache of its own.
if CACHE_URL := env("CACHE_URL", default=""):
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
        }
    }

# Database ----------------------------------------------------------------------------------------

DATABASES = {
    "default": env.dj_db_url("DATABASE_URL", default=f"sqlite:///{STATE_DIR / 'db.sqlite3'}")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASE_OPTIONS = DATABASES["default"].setdefault("OPTIONS", {})

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Several processes write to one file: readers do not block, writers wait their turn.
    DATABASE_OPTIONS |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Sockets give their connection back whenever they wait; a pool makes that cheap.
    size = env.int("DATABASE_POOL_SIZE", default=8, validate=validate.Range(min=1))
    DATABASE_OPTIONS |= {"pool": {"min_size": 1, "max_size": size, "timeout": 10}}
    # After PostgreSQL has restarted, the pool is full of dead connections: each is tried before
    # it is handed out, which takes one round trip.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# Behind nginx, which overwrites this header ------------------------------------------------------

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
HTTPS = env.bool("DJANGO_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.int("DJANGO_HSTS_SECONDS", default=0)
X_FRAME_OPTIONS = "DENY"

# Pages -------------------------------------------------------------------------------------------

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

# New passwords are asked for by mail. Without a server, what would be sent is in the log.
mail_server = env("EMAIL_HOST", default="")
mail_backend = f"django.core.mail.backends.{'smtp' if mail_server else 'console'}.EmailBackend"
if django.VERSION >= (6, 1):
    mail_options = {"host": mail_server} if mail_server else {}
    MAILERS = {"default": {"BACKEND": mail_backend, "OPTIONS": mail_options}}
else:
    EMAIL_HOST, EMAIL_BACKEND = mail_server, mail_backend
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="webmaster@localhost")

STATIC_URL = "/static/"
# A relative path starts at the checkout, so that every release has the files that its pages name.
STATIC_ROOT = BASE_DIR.parent / env("DJANGO_STATIC_ROOT", default=str(STATE_DIR / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "project.storage.ModulesToo",
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = env("TZ", default="UTC")
USE_TZ = True

# supervisor and systemd collect what the processes print.
LOG_FORMAT = env("STACK_LOG_FORMAT", default="line", validate=validate.OneOf(["line", "json"]))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "{asctime} {levelname} {name} request={request_id}: {message}",
            "style": "{",
        },
        "json": JSON_FORMATTER,
    },
    "filters": {"request": {"()": "django_websocket.logs.RequestFields"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env("DJANGO_LOG_LEVEL", default="INFO")},
    "loggers": {"django": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}
