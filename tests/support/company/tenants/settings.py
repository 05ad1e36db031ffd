"""The documentation's way. The users' table exists in every schema, the public one included."""

import os

from support.company.settings import *  # noqa: F403

SHARED_APPS = ["django_tenants", "support.company.tenants", *INSTALLED_APPS]  # noqa: F405
TENANT_APPS = INSTALLED_APPS  # noqa: F405
INSTALLED_APPS = SHARED_APPS
TENANT_MODEL = "tenants.Company"
TENANT_DOMAIN_MODEL = "tenants.Domain"
WEBSOCKET_URLCONF = "support.company.tenants.websocket_urls"
MIDDLEWARE = [
    MIDDLEWARE[0],  # noqa: F405
    "django_tenants.middleware.main.TenantMainMiddleware",
    *MIDDLEWARE[1:],  # noqa: F405
]
ALLOWED_HOSTS = [".localhost"]
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"  # noqa: F405
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
if "TENANTS_POOL" in os.environ:
    DATABASE_OPTIONS["pool"] = {  # noqa: F405
        "min_size": 0,
        "max_size": int(os.environ["TENANTS_POOL"]),
    }
# Tables come from the models alone: that is all that is needed, and quick.
MIGRATION_MODULES = dict.fromkeys(name.split(".")[-1] for name in SHARED_APPS)
