-- Redis is full: remove histories, of those that are found first the ones that would expire next.
--
-- The keys are looked for, as an index of them would cost every message. Reading all of them would
-- stop Redis for too long, so each step looks at some, and the next one goes on from there.
--
-- ARGV: the pattern of the histories' keys; where to go on. Returns how many were removed, and where
-- the next step goes on.
local SCANS, KEYS_A_SCAN, MOST = 20, 500, 1000
-- Room for others' writes, too, and not for one message only. How often that is looked at.
local ENOUGH, EVERY = 0.9, 4

local function is_full()
    local info = redis.call('INFO', 'memory')
    local used = tonumber(string.match(info, 'used_memory:(%d+)'))
    local most = tonumber(string.match(info, 'maxmemory:(%d+)'))
    return most > 0 and used > ENOUGH * most
end

local pattern, cursor = ARGV[1], ARGV[2]
local found = {}
for _ = 1, SCANS do
    local reply = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', KEYS_A_SCAN, 'TYPE', 'stream')
    cursor = reply[1]
    for _, key in ipairs(reply[2]) do
        table.insert(found, {key = key, left = redis.call('PTTL', key)})
    end
    if cursor == '0' or #found >= MOST then break end
end
table.sort(found, function(one, other) return one.left < other.left end)

local removed = 0
while removed < #found and (removed % EVERY > 0 or is_full()) do
    removed = removed + 1
    redis.call('DEL', found[removed].key)
end
return {removed, cursor}
