"""Makes the schemas, with one user in each, who is named after it."""

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django_tenants.utils import schema_context  # noqa: E402

from support.company.tenants.models import Company, Domain  # noqa: E402

call_command("migrate_schemas", shared=True, run_syncdb=True, verbosity=0)
for name in ("public", "acme", "globex"):
    company = Company.objects.create(schema_name=name, name=name)
    host = "localhost" if name == "public" else f"{name}.localhost"
    Domain.objects.create(domain=host, tenant=company, is_primary=True)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
call_command("migrate_schemas", tenant=True, run_syncdb=True, verbosity=0)
for name in ("public", "acme", "globex"):
    with schema_context(name):
        User.objects.create_user(name)
