"""The app config: registers system checks, and connects signals."""

from django.apps import AppConfig, apps
from django.core import checks


class DjangoWebsocketConfig(AppConfig):
    """``django_websocket`` in ``INSTALLED_APPS``."""

    name = "django_websocket"
    verbose_name = "WebSockets"

    def ready(self) -> None:
        """Register the system checks; connect to the signals of users, sessions and permissions."""
        from django.core.signals import request_started

        from .application import misrouted
        from .checks import (
            check_broker,
            check_drivers,
            check_pages,
            check_runserver,
            check_sessions,
            check_settings,
            check_settings_for_deployment,
            check_urlconf,
        )

        request_started.connect(misrouted.on_request_started)
        checks.register(check_settings, "websocket")
        checks.register(check_broker, "websocket")
        checks.register(check_runserver, "websocket")
        checks.register(check_urlconf, "websocket", checks.Tags.urls)
        checks.register(check_pages, "websocket", checks.Tags.urls)
        checks.register(check_drivers, "websocket")
        checks.register(check_sessions, "websocket")
        checks.register(check_settings_for_deployment, "websocket", deploy=True)
        if apps.is_installed("django.contrib.auth"):
            self._follow_users()
            self._follow_permissions()

    def _follow_users(self) -> None:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.signals import user_logged_in, user_logged_out
        from django.core.signals import request_started
        from django.db.models.signals import post_delete, post_save

        from .auth import sessions

        request_started.connect(sessions.on_request_started)
        user_logged_in.connect(sessions.on_login)
        user_logged_out.connect(sessions.on_logout)
        for model in apps.get_models():
            if issubclass(model, get_user_model()):  # proxies send signals of their own
                post_save.connect(sessions.on_user_saved, sender=model)
                post_delete.connect(sessions.on_user_deleted, sender=model)

    def _follow_permissions(self) -> None:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Group, Permission
        from django.db.models.signals import m2m_changed, post_delete

        from .auth import sessions

        for owner, field in (
            (get_user_model(), "user_permissions"),
            (get_user_model(), "groups"),
            (Group, "permissions"),
        ):
            relation = getattr(owner, field, None)  # a custom user model may have neither
            if relation is not None:
                m2m_changed.connect(sessions.on_permissions_changed, sender=relation.through)
        for model in (Group, Permission):
            post_delete.connect(sessions.on_permissions_deleted, sender=model)
