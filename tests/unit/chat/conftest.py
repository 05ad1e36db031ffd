import pytest


@pytest.fixture(autouse=True)
def broker(settings):
    """What is published stays in this process."""
    settings.WEBSOCKET_BROKER = "memory://"
    settings.WEBSOCKET_PRESENCE_LINGER = 0


@pytest.fixture
def no_broker(tmp_path, settings):
    """Nobody answers where the chat's Redis should be."""
    settings.WEBSOCKET_BROKER = f"unix://{tmp_path / 'nobody.sock'}"


@pytest.fixture
def member(django_user_model):
    return django_user_model.objects.create_user("Grace", password="compiler")
