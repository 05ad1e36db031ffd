"""How a channel lies in Redis, and the one step that publishes to it.

``<prefix>:{<channel>}``
    As a key: the id of the channel's last message. As a pub/sub channel: its messages.
``<prefix>:{<channel>}:history``
    A stream of the channel's last messages, each in its field ``m``.
``<prefix>:mark``
    An id: since when Redis has not been emptied. Not in a cluster.

The braces keep a channel's keys on one node of a cluster. Its presence has a channel of its own,
whose braces hold the same: ``<prefix>:{<channel>}:presence``.

A message is its id and that of the one before, of 20 characters each, and its payload.
"""

from __future__ import annotations

import hashlib

from django_websocket.pubsub.brokers.base import Entry
from django_websocket.pubsub.message import (
    is_id,
    presence_of,
)

__all__ = [
    "BEGUN",
    "CLEAR",
    "MARK",
    "PUBLISH",
    "PUBLISH_FUNCTION",
    "RETRACT",
    "Script",
    "keys",
    "mark_key",
    "stream_id",
    "unpack",
]

_ID_LENGTH = 20

#: Entries that are read in one part where a history is written anew.
_PART = 16

#: What Redis may refuse, for a type or for its memory, comes first: then nothing is done by halves.
#: Its arguments: the two keys above; payload; length of the history; milliseconds that the history
#: is kept, and that the last id is; the command. The time is Redis' own, so all publishers agree.
PUBLISH_FUNCTION = """
local function publish(key, stream, payload, history, kept, remembered, command)
    local last = redis.call('GET', key) or '0000000000000-000000'
    local time = redis.call('TIME')
    local ms, count = time[1] * 1000 + math.floor(time[2] / 1000), 0
    local last_ms = tonumber(string.sub(last, 1, 13))
    if ms <= last_ms then
        ms, count = last_ms, tonumber(string.sub(last, 15)) + 1
        if count > 999999 then ms, count = ms + 1, 0 end
    end
    local id = string.format('%013.0f-%06d', ms, count)
    local message = id .. last .. payload
    if history ~= '0' then
        local stream_id = string.format('%.0f-%d', ms, count)
        redis.call('XADD', stream, 'MAXLEN', '~', history, stream_id, 'm', message)
        redis.call('PEXPIRE', stream, kept)
    end
    redis.call('SET', key, id, 'PX', remembered)
    redis.call(command, key, message)
    return id
end
"""


class Script:
    """A step that Redis carries out as a whole, and the name by which it knows it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


#: KEYS and ARGV are the function's arguments.
PUBLISH = Script(f"{PUBLISH_FUNCTION}\nreturn publish(KEYS[1], KEYS[2], unpack(ARGV))")

#: As for PUBLISH, but the two times are the least: a history that is kept for longer stays so. What
#: Redis would refuse for its type is looked at before anything changes.
_CHANGE = f"""{PUBLISH_FUNCTION}
local key, stream = unpack(KEYS)
local payload, history, kept, remembered, command = unpack(ARGV, 1, 5)
redis.call('GET', key)
local length = redis.call('XLEN', stream)
kept = math.max(kept, redis.call('PTTL', stream))
remembered = math.max(remembered, redis.call('PTTL', key))
"""

#: Then: the id in the stream of the message to take back. An entry of a stream cannot be changed,
#: and none can be added before others: the stream is written anew. It is read in parts, as Redis
#: takes much longer for one large answer.
RETRACT = Script(f"""{_CHANGE}
local id = ARGV[6]
if redis.call('XRANGE', stream, id, id)[1] then
    local entries, start, part = {{}}, '-', nil
    repeat
        part = redis.call('XRANGE', stream, start, '+', 'COUNT', {_PART})
        for _, entry in ipairs(part) do table.insert(entries, entry) end
        start = part[1] and '(' .. part[#part][1]
    until #part < {_PART}
    redis.call('UNLINK', stream)
    for _, entry in ipairs(entries) do
        local fields = entry[2]
        if entry[1] == id then
            fields = {{'m', string.sub(fields[2], 1, {2 * _ID_LENGTH}) .. payload}}
        end
        redis.call('XADD', stream, entry[1], unpack(fields))
    end
end
local most = math.max(length, history, 1)
local published = publish(key, stream, payload, most, kept, remembered, command)
redis.call('XTRIM', stream, 'MAXLEN', most)
return published
""")

CLEAR = Script(f"""{_CHANGE}
redis.call('UNLINK', stream)
return publish(key, stream, payload, history, kept, remembered, command)
""")


#: Since when this Redis has been running, as an id, a second or two too early. Its key says which
#: node of a cluster is asked.
BEGUN = Script("""
local seconds = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
local time = redis.call('TIME')
return string.format('%013.0f-000000', (time[1] - seconds - 1) * 1000)
""")


#: Sets the mark, if it is not there: FLUSHALL takes it along, and leaves no other trace.
MARK = Script("""
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%013.0f-999999', ms), 'NX')
return redis.call('GET', KEYS[1])
""")


def mark_key(prefix: str) -> str:
    """The key of the mark, which is no channel's: theirs have braces."""
    return f"{prefix}:mark"


def keys(prefix: str, channel: str) -> tuple[str, str]:
    """The channel's two keys."""
    # Not an f-string's work: an Enum's member that is a str formats as something else.
    key = prefix + ":" + (channel if presence_of(channel) else "{" + channel + "}")
    return key, f"{key}:history"


def stream_id(id: str) -> str:  # noqa: A002
    """A message's id as the stream has it."""
    milliseconds, _, count = id.partition("-")
    return f"{int(milliseconds)}-{int(count)}"


def unpack(message: bytes) -> Entry | None:
    """What :data:`PUBLISH` sent. None for what someone else did."""
    header = message[: 2 * _ID_LENGTH].decode("ascii", "replace")
    id, previous = header[:_ID_LENGTH], header[_ID_LENGTH:]  # noqa: A001
    if not is_id(id) or not is_id(previous) or id <= previous:
        return None
    return Entry(id, previous, message[2 * _ID_LENGTH :])
