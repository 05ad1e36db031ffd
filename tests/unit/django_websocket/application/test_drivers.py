"""What is no driver, or cannot be imported, is not named; tests/company/ has the real drivers."""

import pytest
from django.db import connections

from django_websocket.application.drivers import blocking_drivers


@pytest.mark.parametrize("patched", [True, False])
def test_the_project_s_databases_block_nobody(patched):
    assert list(blocking_drivers(patched=patched)) == []


@pytest.mark.parametrize(
    "engine", ["django.db.backends.dummy", "django.db.backends.oracle", "no.such.backend"]
)
def test_a_database_that_cannot_be_used_is_another_check_s_business(engine):
    database = {"ENGINE": engine, "NAME": "nowhere"}
    connections.databases["elsewhere"] = connections.configure_settings(
        {"default": connections.databases["default"], "elsewhere": database}
    )["elsewhere"]
    try:
        assert list(blocking_drivers(patched=True)) == []
    finally:
        del connections.databases["elsewhere"]
        if hasattr(connections._connections, "elsewhere"):
            del connections["elsewhere"]
