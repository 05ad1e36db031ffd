"""The rights that the documentation says are enough, are."""

import contextlib
import re

from django_websocket.pubsub.brokers.redis import RedisBroker
from django_websocket.pubsub.brokers.suite import Recorder
from django_websocket.pubsub.message import ZERO, make_id
from support.server import ROOT, wait_for


def documented():
    text = (ROOT / "docs" / "reference" / "channels.md").read_text()
    [(commands, patterns)] = re.findall(r"The Redis user needs `([^`]+)` on\s+`([^`]+)`", text)
    return commands.split(), patterns.replace("<prefix>", "websocket").split()


def test_a_user_with_the_documented_rights_can_do_everything(redis):
    commands, patterns = documented()
    redis.call("ACL", "SETUSER", "site", "on", ">secret", "-@all", *commands, *patterns)
    recorder = Recorder()
    with contextlib.closing(RedisBroker(redis.url.replace("//", "//site:secret@"))) as broker:
        recorder.broker = broker
        broker.keep_at_most(100_000)
        broker.listen(recorder)
        broker.subscribe("room")
        wait_for(lambda: "room" in recorder.positions, "the subscription")
        published = broker.publish("room", b"x", 10, 60)
        broker.retract("room", published, 10, 60)
        broker.clear("room", 60)
        assert len(recorder.entries(3)) == 3
        broker.read([("room", ZERO), ("room", make_id(1, 0))])
        broker.announce("room", "one", {"Ada": 1}, 60, None)
        broker.announce("room", "one", {"Ada": 0}, 60, None)
        broker.announce("room", "two", {"Ada": 1}, 0.01, None)
        wait_for(lambda: not broker.roster("room").people, "nobody to be there")
        broker.unsubscribe("room")
        broker.check()
        used = int(redis.call("INFO", "memory")["used_memory"])
        redis.call("CONFIG", "SET", "maxmemory", used + 1_000_000)
        for number in range(30):  # which fills it
            broker.publish(f"room-{number}", b"x" * 70_000, 10, 60)
    denied = redis.call("ACL", "LOG")
    assert not [entry for entry in denied if "info" not in str(entry)], denied
