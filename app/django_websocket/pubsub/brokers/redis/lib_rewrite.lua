-- ARGV[6]: the id, as the stream has it, of the message to change. ARGV[7]: the same as publishers know
-- it. ARGV[8]: the content that it gets; the notice, payload, takes the place of its earlier editions.
--
-- A stream's entry cannot be changed, and none can be inserted before others, so the stream is
-- rewritten. It is read in parts, as Redis takes much longer for one large reply.
local PART = 16
-- The two ids before the payload.
local HEADER = 40

local id, edition, retraction = ARGV[6], 'e' .. ARGV[7], 'r' .. ARGV[7]

-- Calls visit(entry, body) for each entry from the id start on, until it returns something.
local function each(start, visit)
    local part
    repeat
        part = redis.call('XRANGE', stream, start, '+', 'COUNT', PART)
        for _, entry in ipairs(part) do
            local found = visit(entry, string.sub(entry[2][2], HEADER + 1))
            if found then return found end
        end
        start = part[1] and '(' .. part[#part][1]
    until #part < PART
end

local function is_edition(body) return string.sub(body, 1, #edition) == edition end

local function rewrite()
    local entries = {}
    each('-', function(entry, body)
        local fields, header = entry[2], string.sub(entry[2][2], 1, HEADER)
        if entry[1] == id then fields = {'m', header .. ARGV[8]}
        elseif is_edition(body) then fields = {'m', header .. payload} end
        table.insert(entries, {entry[1], fields})
    end)
    redis.call('UNLINK', stream)
    for _, entry in ipairs(entries) do redis.call('XADD', stream, entry[1], unpack(entry[2])) end
end

-- Editions come after the message.
local function change()
    if each(id, function(entry, body) return entry[1] == id or is_edition(body) end) then rewrite() end
    local most = math.max(length, history, 1)
    local published = publish(key, stream, payload, most, kept, remembered, command)
    redis.call('XTRIM', stream, 'MAXLEN', most)
    return published
end
