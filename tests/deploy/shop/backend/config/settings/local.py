"""A developer's computer: nothing else has to run."""

from .base import *
from .base import BACKEND, env

DEBUG = True
SECRET_KEY = env("SECRET_KEY", default="for development alone")
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BACKEND / 'shop.sqlite3'}")}
CELERY_TASK_ALWAYS_EAGER = True
