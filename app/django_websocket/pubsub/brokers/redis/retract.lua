-- ARGV[6]: the id, as the stream has it, of the message to retract.
--
-- A stream's entry cannot be changed, and none can be inserted before others, so the stream is
-- rewritten. It is read in parts, as Redis takes much longer for one large reply.
local PART = 16
-- The two ids before the payload.
local HEADER = 40

local id = ARGV[6]
if redis.call('XRANGE', stream, id, id)[1] then
    local entries, start, part = {}, '-', nil
    repeat
        part = redis.call('XRANGE', stream, start, '+', 'COUNT', PART)
        for _, entry in ipairs(part) do table.insert(entries, entry) end
        start = part[1] and '(' .. part[#part][1]
    until #part < PART
    redis.call('UNLINK', stream)
    for _, entry in ipairs(entries) do
        local fields = entry[2]
        if entry[1] == id then
            fields = {'m', string.sub(fields[2], 1, HEADER) .. payload}
        end
        redis.call('XADD', stream, entry[1], unpack(fields))
    end
end
local most = math.max(length, history, 1)
local published = publish(key, stream, payload, most, kept, remembered, command)
redis.call('XTRIM', stream, 'MAXLEN', most)
return published
