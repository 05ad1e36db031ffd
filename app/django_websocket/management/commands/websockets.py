"""``manage.py websockets``: what an operator asks of the running site's sockets, from a shell."""

from __future__ import annotations

import os
import re
import sys
import time
from argparse import SUPPRESS
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.urls import get_resolver

from django_websocket.application.views import views
from django_websocket.auth.review import FORBIDDEN
from django_websocket.auth.sessions import disconnect_user
from django_websocket.conf import get_options
from django_websocket.errors import BrokerError, InvalidJSON, WebSocketException
from django_websocket.management.hops import Visitor, hops
from django_websocket.management.reach import HopFailed
from django_websocket.management.tail import line, received, shown
from django_websocket.pubsub import presence, publish, subscribe, user_channel
from django_websocket.pubsub.message import BEGINNING, check_subscription, is_id
from django_websocket.pubsub.process import get_dispatcher, isolation
from django_websocket.serializers.jsontext import loads
from django_websocket.urlresolvers import urlconfs

__all__ = ["Command"]

#: The longest time that a hop may take, in seconds.
_LONGEST = 3600.0


class Command(BaseCommand):
    """Publishes, follows channels, lists who is present, and closes a user's sockets."""

    help = (
        "Publish to open sockets, follow channels, see who is present, close a user's sockets, "
        "check the public address. "
        "Each subcommand has its own --help."
    )

    # It has to work while something else is broken.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """A parser for each subcommand."""
        commands = parser.add_subparsers(
            title="subcommands", dest="subcommand", metavar="SUBCOMMAND", required=True
        )

        def add(name: str, text: str) -> CommandParser:
            command: CommandParser = commands.add_parser(name, help=text, description=text)
            # Django knows these before the subcommand only; people write them last.
            for option in ("--settings", "--pythonpath"):
                command.add_argument(option, default=SUPPRESS, help=SUPPRESS)
            command.add_argument(
                "--traceback", action="store_true", default=SUPPRESS, help=SUPPRESS
            )
            return command

        publishing = add("publish", "Publish a message to all subscribers; prints its id.")
        _add_channel(publishing)
        publishing.add_argument(
            "data", metavar="DATA", help="JSON, or else a text. -: read it from standard input."
        )
        publishing.add_argument(
            "--text", action="store_true", help="DATA is a text, also if it looks like JSON."
        )
        publishing.add_argument(
            "--history", type=int, metavar="N",
            help="How many messages the channel keeps; 0: not even this one. "
            "Default: WEBSOCKET_HISTORY.",
        )  # fmt: skip
        publishing.add_argument(
            "--ttl", type=float, metavar="SECONDS",
            help="For how long they are kept. Default: WEBSOCKET_HISTORY_TTL.",
        )  # fmt: skip

        tail = add("tail", "Follow channels, one message a line: id, channel, JSON. Ctrl-C ends.")
        _add_channel(tail, nargs="+")
        tail.add_argument(
            "--since", metavar="ID",
            help="Begin with the messages after this id, such as that of the last line that you "
            "have seen. 0: with the oldest that is kept.",
        )  # fmt: skip
        tail.add_argument("--count", type=int, metavar="N", help="End after N messages.")
        tail.add_argument(
            "--timeout", type=float, metavar="SECONDS",
            help="End after so long without a message, with status 1 if --count is not reached.",
        )  # fmt: skip

        who = add("who", "List who is present in a channel, with the number of their sockets.")
        _add_channel(who)

        kick = add("kick", "Close all sockets of a user, in every process.")
        kick.add_argument("user", metavar="USER", help="A username, or else a primary key.")
        kick.add_argument(
            "--code", type=int, default=FORBIDDEN, metavar="N",
            help="The close code. Default: %(default)s, after which websocket.js does not return.",
        )  # fmt: skip
        kick.add_argument(
            "--reason", default="", metavar="TEXT", help="What their page gets as the reason."
        )

        add("stats", "Say what the broker says about itself, and how fast it answers.")

        check = add(
            "check", "Make a handshake through the public address, and say what each hop answers."
        )
        check.add_argument(
            "url", nargs="?", metavar="URL",
            help="The address of a socket, such as wss://example.com/chat/. Default: "
            "WEBSOCKET_SERVER, and the first path of WEBSOCKET_URLCONF that is fixed.",
        )  # fmt: skip
        check.add_argument(
            "--origin", help="The origin of the page. Default: that of the address itself."
        )
        check.add_argument(
            "--cookie", metavar="NAME=VALUE", help="The cookies, such as sessionid=…"
        )
        check.add_argument(
            "--timeout", type=float, default=5.0, metavar="SECONDS",
            help="How long each hop may take. Default: %(default)g.",
        )  # fmt: skip
        check.add_argument(
            "--days", type=int, default=14, metavar="N",
            help="Fail if the certificate ends sooner. Default: %(default)s.",
        )  # fmt: skip

    def handle(self, subcommand: str, **options: Any) -> None:
        """Run the subcommand; what is wrong becomes one line, and status 1."""
        try:
            if subcommand != "check" and (reason := isolation()):
                raise CommandError(reason)
            getattr(self, f"_{subcommand}")(options)
        except BrokerError as error:
            raise CommandError(
                f"{str(error).rstrip('.')}. Start the broker, or correct WEBSOCKET_BROKER."
            ) from error
        except DatabaseError as error:
            raise CommandError(f"The database cannot say who that is: {error}") from error
        except WebSocketException as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # The reader of standard output has gone. Python would fail to flush it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _say(self, text: str) -> None:
        """Say something besides the output, which is no error."""
        self.stderr.write(text, style_func=str)

    def _publish(self, options: dict[str, Any]) -> None:
        (channel,) = _channels(options)
        text = _stdin() if options["data"] == "-" else options["data"]
        value = text if options["text"] else _value(text)
        try:
            published = publish(channel, value, history=options["history"], ttl=options["ttl"])
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        self.stdout.write(published)

    def _tail(self, options: dict[str, Any]) -> None:
        channels, since, count = _channels(options), options["since"], options["count"]
        if since not in (None, BEGINNING) and not is_id(since):
            raise CommandError(
                f"Expected --since with the id at the start of a line, or 0, found {since!r}."
            )
        if count is not None and count < 1:
            raise CommandError(f"Expected --count of 1 or more, found {count}.")
        with subscribe(*channels, since=since) as reader:
            self._say(f"Following {', '.join(map(shown, channels))}. Ctrl-C ends.")
            for number, message in enumerate(received(reader, options["timeout"], self._say), 1):
                self.stdout.write(line(message))
                self.stdout.flush()
                if number == count:
                    return
        if count is not None:
            raise CommandError(f"No message for {options['timeout']:g} s, of {count} to wait for.")

    def _who(self, options: dict[str, Any]) -> None:
        (channel,) = _channels(options)
        try:
            people = presence(channel)
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        for name, count in people.items():
            self.stdout.write(f"{count:7} {shown(name)}")
        if not people:
            self._say(
                f"Nobody is in {shown(channel)}: a socket is, once its view has called "
                "websocket.enter()."
            )

    def _kick(self, options: dict[str, Any]) -> None:
        user = _user(options["user"])
        # After a commit a broker that is away is an error in the log only.
        get_dispatcher().broker.check()
        try:
            disconnect_user(user, options["code"], options["reason"])
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        self.stdout.write(
            f"The sockets of {shown(str(user))} close with {options['code']}, in every process. "
            "Nothing keeps the user from opening new ones: for that, turn off is_active."
        )

    def _stats(self, options: dict[str, Any]) -> None:
        broker, settings = get_dispatcher().broker, get_options()
        broker.check()  # which connects
        began = time.monotonic()
        broker.check()
        took = (time.monotonic() - began) * 1000
        address = urlsplit(settings.broker)
        where = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
        self.stdout.write(f"broker: {where}, answers in {took:.1f} ms")
        for name, fact in broker.facts().items():
            self.stdout.write(shown(f"{name}: {fact}"))
        size = settings.history_size
        self.stdout.write(
            f"history: {settings.history} messages of a channel, for {settings.history_ttl:g} s"
            f"{'' if size is None else f', at most {size} bytes'}, by this project's settings"
        )

    def _check(self, options: dict[str, Any]) -> None:
        if not 0 < options["timeout"] <= _LONGEST:
            raise CommandError(
                f"Expected --timeout of more than 0 and at most {_LONGEST:g} seconds, found "
                f"{options['timeout']:g}."
            )
        visitor = Visitor(options["origin"], options["cookie"], options["timeout"])
        try:
            for sentence in hops(options["url"] or _public_address(), visitor, options["days"]):
                self.stdout.write(sentence)
                self.stdout.flush()
        except HopFailed as error:
            raise CommandError(str(error)) from error


def _public_address() -> str:
    """The address of a socket of this project, as far as the settings name one."""
    server = get_options().server
    if server is None:
        raise CommandError(
            "Expected the address of a socket, such as wss://example.com/chat/: name it, or set "
            "WEBSOCKET_SERVER."
        )
    routes = (route for urlconf in urlconfs() for route, _ in views(get_resolver(urlconf)))
    fixed = next((route for route in routes if re.fullmatch(r"[\w./~-]+", route)), "")
    return f"{server.rstrip('/')}/{fixed}"


def _add_channel(parser: CommandParser, **options: Any) -> None:
    parser.add_argument("channel", metavar="CHANNEL", help="Its name.", **options)
    parser.add_argument(
        "--user", action="store_true",
        help="CHANNEL is a user, by username or else by primary key: their own channel, which "
        "subscribe_user() follows.",
    )  # fmt: skip


def _channels(options: dict[str, Any]) -> list[str]:
    given = options["channel"]
    names: list[str] = given if isinstance(given, list) else [given]
    if options["user"]:
        return [user_channel(_user(name)) for name in names]
    for name in names:
        try:
            check_subscription(name)
        except ValueError as error:
            sentence = str(error).replace("call user_channel(user)", "say --user")
            raise CommandError(f"{sentence}.") from error
    return names


def _user(text: str) -> Any:
    """The user whose name, or else whose primary key, is ``text``."""
    try:
        model: Any = get_user_model()
    except ImproperlyConfigured as error:
        raise CommandError(f"{error}: this project has no users.") from error
    found = model._default_manager.filter(**{model.USERNAME_FIELD: text}).first()
    if found is not None:
        return found
    try:
        return model._default_manager.get(pk=text)
    except (model.DoesNotExist, ValidationError, ValueError):
        raise CommandError(f"Expected a username or a primary key, found {text!r}.") from None


def _stdin() -> str:
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise CommandError(f"Expected text on standard input, found bytes: {error}.") from error


def _value(text: str) -> Any:
    """What the JSON ``text`` says, or itself. A JSON that breaks off is a mistake, not a text."""
    if not text:
        raise CommandError("Expected DATA, found nothing: for an empty text, write '\"\"'.")
    try:
        return loads(text)
    except InvalidJSON as error:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise CommandError(f"Expected JSON or --text, found {text[:80]!r}: {error}.") from error
        return text
