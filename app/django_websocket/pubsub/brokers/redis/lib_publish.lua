-- Commands that Redis may refuse, because of a key's type or its memory, come first, so that nothing
-- is half done. The clock is that of Redis, so all publishers agree.
--
-- key, stream: the channel's two keys
-- payload: the message without its header
-- history: how many messages the channel keeps, roughly; '0': this one is not kept
-- kept, remembered: milliseconds for which the history and the last id are kept
-- command: PUBLISH, or SPUBLISH in a cluster
-- most: how many bytes the history may take; nil or '': any number

-- Removes the oldest messages until the history takes no more than so many bytes of memory.
local function bound(stream, most)
    local length = redis.call('XLEN', stream)
    while length > 0 do
        local size = redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', 0)
        if size <= most then return end
        length = math.floor(length * most / size)
        redis.call('XTRIM', stream, 'MAXLEN', length)
    end
end

local function publish(key, stream, payload, history, kept, remembered, command, most)
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
    most = tonumber(most)
    if history ~= '0' and not (most and #message > most) then
        if most then bound(stream, most - #message) end
        local stream_id = string.format('%.0f-%d', ms, count)
        redis.call('XADD', stream, 'MAXLEN', '~', history, stream_id, 'm', message)
        redis.call('PEXPIRE', stream, kept)
    end
    redis.call('SET', key, id, 'PX', remembered)
    redis.call(command, key, message)
    return id
end
