"""The documentation's way, of all three."""

from support.company.settings import *  # noqa: F403

ROOT_URLCONF = "support.company.accounts.urls"
WEBSOCKET_URLCONF = "support.company.accounts.websocket_urls"
INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "allauth",
    "allauth.account",
    "axes",
    "maintenance_mode",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
MIDDLEWARE = [
    *MIDDLEWARE,  # noqa: F405
    "allauth.account.middleware.AccountMiddleware",
    "maintenance_mode.middleware.MaintenanceModeMiddleware",
    "axes.middleware.AxesMiddleware",
]
ACCOUNT_EMAIL_VERIFICATION = "none"
AXES_FAILURE_LIMIT = 3
AXES_LOCKOUT_PARAMETERS = ["username"]
MAINTENANCE_MODE_STATE_FILE_PATH = str(STATE_DIR / "maintenance_mode")  # noqa: F405
MAINTENANCE_MODE_TEMPLATE = "base.html"
