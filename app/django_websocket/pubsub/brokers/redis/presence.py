"""How it lies in Redis who is in a channel, and the two steps that touch it.

``<prefix>:{<channel>}:presence``
    The presence channel: its key and its messages are like any channel's.
``<prefix>:{<channel>}:presence:names``
    A hash: the count of sockets by name, of all processes.
``<prefix>:{<channel>}:presence:counts``
    A hash: the same by ``<process>/<name>``, so that a dead process can be subtracted.
``<prefix>:{<channel>}:presence:processes``
    A sorted set: until when each process is trusted, in microseconds. That is its stamp, too:
    a Redis that went back to older data has another one.
"""

from __future__ import annotations

from django_websocket.pubsub.message import presence_channel

from .scripts import (
    PUBLISH_FUNCTION,
    Script,
    keys,
)

__all__ = ["ATTEND", "ROSTER", "presence_keys"]

#: KEYS: those of the presence channel, and the three above. ARGV begins with the last four
#: arguments of ``publish``, and the milliseconds that the three are kept when nobody touches them.
_STEP = f"""{PUBLISH_FUNCTION}
local key, stream, names, counts, processes = unpack(KEYS)
local history, kept, remembered, command, forgotten = unpack(ARGV, 1, 5)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local was, is = {{}}, {{}}

-- A key of a wrong type is refused before anything has changed.
redis.call('GET', key)
redis.call('XRANGE', stream, '0-1', '0-1')
redis.call('HGET', names, '')
redis.call('HGET', counts, '')
redis.call('ZSCORE', processes, '')

local function add(name, number)
    local total = redis.call('HINCRBY', names, name, number)
    if was[name] == nil then was[name] = total > number end
    is[name] = total > 0
    if total <= 0 then redis.call('HDEL', names, name) end
end

local function forget(gone)
    local fields = redis.call('HGETALL', counts)
    for i = 1, #fields, 2 do
        local slash = string.find(fields[i], '/', 1, true)
        if gone[string.sub(fields[i], 1, slash - 1)] then
            redis.call('HDEL', counts, fields[i])
            add(string.sub(fields[i], slash + 1), -tonumber(fields[i + 1]))
        end
    end
    for process in pairs(gone) do redis.call('ZREM', processes, process) end
end

local function sweep()
    local gone = {{}}
    for _, process in ipairs(redis.call('ZRANGEBYSCORE', processes, '-inf', now)) do
        gone[process] = true
    end
    if next(gone) then forget(gone) end
end

local function tell()
    local joined, left = {{}}, {{}}
    for name, before in pairs(was) do
        if is[name] and not before then table.insert(joined, name) end
        if before and not is[name] then table.insert(left, name) end
    end
    if #joined + #left == 0 then return end
    for _, list in ipairs({{joined, left}}) do
        table.sort(list)
        for i, name in ipairs(list) do list[i] = cjson.encode(name) end
    end
    local change = '"joined":[' .. table.concat(joined, ',') .. '],"left":['
    change = 'j{{' .. change .. table.concat(left, ',') .. ']}}'
    publish(key, stream, change, history, kept, remembered, command)
end
"""

#: A key may have been lost by itself, and what was counted with it. So whoever tells all there is
#: has the sums made anew, of the processes that are trusted.
_REBUILD = """
local function rebuild(process)
    local trusted, sums = {}, {}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', processes, '-inf', '+inf')) do
        trusted[name] = name ~= process
    end
    local fields = redis.call('HGETALL', counts)
    for i = 1, #fields, 2 do
        local slash = string.find(fields[i], '/', 1, true)
        if trusted[string.sub(fields[i], 1, slash - 1)] then
            local name = string.sub(fields[i], slash + 1)
            sums[name] = (sums[name] or 0) + tonumber(fields[i + 1])
        else
            redis.call('HDEL', counts, fields[i])
        end
    end
    local known = redis.call('HGETALL', names)
    for i = 1, #known, 2 do
        local sum = sums[known[i]] or 0
        if sum ~= tonumber(known[i + 1]) then add(known[i], sum - tonumber(known[i + 1])) end
        sums[known[i]] = nil
    end
    for name, sum in pairs(sums) do add(name, sum) end
end
"""

#: Then: process; microseconds that its word holds; stamp, or nothing; names and their counts.
#: Returns the stamp, or nil.
ATTEND = Script(f"""{_STEP}{_REBUILD}
local process, ttl, stamp = ARGV[6], ARGV[7], ARGV[8]
local first = 9
sweep()
local known = redis.call('ZSCORE', processes, process)
if stamp ~= '' and stamp ~= known then
    tell()
    return false
end
if stamp == '' and (known or #ARGV >= first) then rebuild(process) end
for i = first, #ARGV, 2 do
    local name, count = ARGV[i], tonumber(ARGV[i + 1])
    local field = process .. '/' .. name
    local change = count - (tonumber(redis.call('HGET', counts, field) or 0))
    if count > 0 then redis.call('HSET', counts, field, count)
    else redis.call('HDEL', counts, field) end
    if change ~= 0 then add(name, change) end
end
tell()
local expiry = string.format('%.0f', now + ttl)
if stamp ~= '' or #ARGV >= first then redis.call('ZADD', processes, expiry, process)
else redis.call('ZREM', processes, process) end
for _, hash in ipairs({{names, counts, processes}}) do redis.call('PEXPIRE', hash, forgotten) end
return expiry
""")

#: Returns the id of the last coming or going, and names and counts in turn.
ROSTER = Script(f"""{_STEP}
sweep()
tell()
return {{redis.call('GET', key) or '0000000000000-000000', redis.call('HGETALL', names)}}
""")


def presence_keys(prefix: str, channel: str) -> list[str]:
    """The five keys of a channel's presence."""
    key, stream = keys(prefix, presence_channel(channel))
    return [key, stream, *(f"{key}:{kind}" for kind in ("names", "counts", "processes"))]
