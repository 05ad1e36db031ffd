import dataclasses

import pytest
from django.test import override_settings

from django_websocket.conf import get_options
from django_websocket.errors import ImproperSetting
from django_websocket.options import Options


def test_defaults_but_for_the_urlconf():
    with override_settings(
        WEBSOCKET_URLCONF="a.b", WEBSOCKET_BROKER="redis://b", WEBSOCKET_HISTORY_SIZE=None
    ):
        assert get_options() == Options(urlconf="a.b", broker="redis://b")


def test_options_follow_overridden_settings():
    with override_settings(WEBSOCKET_MAX_MESSAGE_SIZE=7, WEBSOCKET_ALLOWED_ORIGINS=["https://a.b"]):
        assert get_options().max_message_size == 7
        assert get_options().allowed_origins == ("https://a.b",)
    assert get_options().max_message_size == 1024 * 1024


def test_wrong_value_names_the_setting_and_the_value():
    with (
        override_settings(WEBSOCKET_CLOSE_TIMEOUT="soon"),
        pytest.raises(ImproperSetting, match=r"WEBSOCKET_CLOSE_TIMEOUT: expected .* found 'soon'"),
    ):
        get_options()


def test_every_default_but_the_urlconf_obeys_its_own_rule():
    for field in dataclasses.fields(Options):
        if field.name == "urlconf":
            continue
        assert field.metadata["rule"](field.default) is None, field.name
