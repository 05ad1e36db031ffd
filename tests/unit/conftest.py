import pytest


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Django's default takes half a second of the processor for each user that a test makes."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def plain_static_files(settings):
    """Static files under their own names: nothing has been collected."""
    storage = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}
