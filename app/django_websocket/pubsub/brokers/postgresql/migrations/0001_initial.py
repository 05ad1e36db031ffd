"""The tables and functions of the broker. On a database of another kind, nothing."""

from pathlib import Path

from typing import Any

from django.db import migrations

SQL = Path(__file__).parent


class RunPostgreSQL(migrations.RunSQL):
    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, *states)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        RunPostgreSQL(
            # In a list, a statement is sent as it stands, whatever its semicolons.
            [(SQL / "0001_initial.sql").read_text()],
            [(SQL / "0001_initial_reverse.sql").read_text()],
        )
    ]
