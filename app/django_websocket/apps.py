from django.apps import AppConfig
from django.core import checks


class DjangoWebsocketConfig(AppConfig):
    name = "django_websocket"
    verbose_name = "WebSockets"

    def ready(self) -> None:
        from .checks import check_settings, check_settings_for_deployment, check_urlconf

        checks.register(check_settings, "websocket")
        checks.register(check_urlconf, "websocket", checks.Tags.urls)
        checks.register(check_settings_for_deployment, "websocket", deploy=True)
