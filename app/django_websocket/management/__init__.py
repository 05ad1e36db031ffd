"""Django finds the library's management commands here."""
