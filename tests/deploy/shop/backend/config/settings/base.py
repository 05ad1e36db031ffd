"""What development and production share."""

from pathlib import Path

import environ

BACKEND = Path(__file__).resolve().parents[2]
env = environ.Env()

INSTALLED_APPS = [
    "django_websocket",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "catalogue",
]
MIDDLEWARE = [
    "config.readiness.ReadinessMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WEBSOCKET_URLCONF = "config.sockets"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]

STATIC_URL = "/assets/"
STATIC_ROOT = BACKEND / "assets"
MEDIA_URL = "/uploads/"
MEDIA_ROOT = env("MEDIA_ROOT", default=str(BACKEND / "uploads"))

# The branch of the shop whose counter this is.
BRANCH = env("BRANCH", default="")

CELERY_BEAT_SCHEDULE = {
    "count the stock": {"task": "catalogue.tasks.count_stock", "schedule": 2.0},
}
CELERY_TASK_IGNORE_RESULT = True
