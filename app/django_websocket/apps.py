from django.apps import AppConfig, apps
from django.core import checks


class DjangoWebsocketConfig(AppConfig):
    name = "django_websocket"
    verbose_name = "WebSockets"

    def ready(self) -> None:
        from .checks import (
            check_broker,
            check_settings,
            check_settings_for_deployment,
            check_urlconf,
        )

        checks.register(check_settings, "websocket")
        checks.register(check_broker, "websocket")
        checks.register(check_urlconf, "websocket", checks.Tags.urls)
        checks.register(check_settings_for_deployment, "websocket", deploy=True)
        if apps.is_installed("django.contrib.auth"):
            self._follow_users()

    def _follow_users(self) -> None:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.signals import user_logged_out
        from django.db.models.signals import post_delete, post_save

        from . import sessions

        user_logged_out.connect(sessions.on_logout)
        post_save.connect(sessions.on_user_saved, sender=get_user_model())
        post_delete.connect(sessions.on_user_deleted, sender=get_user_model())
