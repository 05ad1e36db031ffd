"""Make the database and a logged-in user; print the session's cookie."""

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)

    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client()
    client.force_login(get_user_model().objects.create_user("reader"))
    cookie = client.cookies["sessionid"]
    print(f"{cookie.key}={cookie.value}")


if __name__ == "__main__":
    main()
