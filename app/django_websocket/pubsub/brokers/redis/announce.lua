-- ARGV[6..8]: process; microseconds for which its entries are valid; its stamp, or nothing.
-- Then names and their counts in turn. Returns a new stamp, or nil if the old one is not known.
local process, ttl, stamp = ARGV[6], ARGV[7], ARGV[8]
local first = 9

-- Redis may have lost a single key, and the counts in it. So when a process sends all its counts, the
-- sums are computed again, from the counts of the processes that have not expired.
local function rebuild()
    local valid, sums = {}, {}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', processes, '-inf', '+inf')) do
        valid[name] = name ~= process
    end
    local fields = redis.call('HGETALL', counts)
    for i = 1, #fields, 2 do
        local slash = string.find(fields[i], '/', 1, true)
        if valid[string.sub(fields[i], 1, slash - 1)] then
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

forget_expired()
local known = redis.call('ZSCORE', processes, process)
if stamp ~= '' and stamp ~= known then
    publish_changes()
    return false
end
if stamp == '' and (known or #ARGV >= first) then rebuild() end
for i = first, #ARGV, 2 do
    local name, count = ARGV[i], tonumber(ARGV[i + 1])
    local field = process .. '/' .. name
    local change = count - (tonumber(redis.call('HGET', counts, field) or 0))
    if count > 0 then redis.call('HSET', counts, field, count)
    else redis.call('HDEL', counts, field) end
    if change ~= 0 then add(name, change) end
end
publish_changes()
local expiry = string.format('%.0f', now + ttl)
if stamp ~= '' or #ARGV >= first then redis.call('ZADD', processes, expiry, process)
else redis.call('ZREM', processes, process) end
for _, hash in ipairs({names, counts, processes}) do redis.call('PEXPIRE', hash, forgotten) end
return expiry
