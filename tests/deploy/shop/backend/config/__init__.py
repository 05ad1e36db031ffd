from .celery import app as celery_app

__all__ = ["VERSION", "celery_app"]

VERSION = "1"
