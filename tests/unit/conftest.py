import pytest


@pytest.fixture
def plain_static_files(settings):
    """Static files under their own names: nothing has been collected."""
    storage = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}
