-- KEYS: the two keys of the presence channel, then names, counts and processes.
-- ARGV begins with the last four arguments of publish(), and the milliseconds for which the last
-- three keys are kept if nothing changes them.
local key, stream, names, counts, processes = unpack(KEYS)
local history, kept, remembered, command, forgotten = unpack(ARGV, 1, 5)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- By name: whether anyone was present under it before this step, and whether anyone is now.
local was, is = {}, {}

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

local function forget_expired()
    local gone = {}
    for _, process in ipairs(redis.call('ZRANGEBYSCORE', processes, '-inf', now)) do
        gone[process] = true
    end
    if next(gone) then forget(gone) end
end

local function publish_changes()
    local joined, left = {}, {}
    for name, before in pairs(was) do
        if is[name] and not before then table.insert(joined, name) end
        if before and not is[name] then table.insert(left, name) end
    end
    if #joined + #left == 0 then return end
    for _, list in ipairs({joined, left}) do
        table.sort(list)
        for i, name in ipairs(list) do list[i] = cjson.encode(name) end
    end
    local change = '"joined":[' .. table.concat(joined, ',') .. '],"left":['
    change = 'j{' .. change .. table.concat(left, ',') .. ']}'
    publish(key, stream, change, history, kept, remembered, command)
end
