-- KEYS and ARGV begin with the arguments of publish(). The two times are minimums here: they
-- never shorten how long a history is kept. Keys of a wrong type are refused before anything changes.
local key, stream = unpack(KEYS)
local payload, history, kept, remembered, command = unpack(ARGV, 1, 5)
redis.call('GET', key)
local length = redis.call('XLEN', stream)
kept = math.max(kept, redis.call('PTTL', stream))
remembered = math.max(remembered, redis.call('PTTL', key))
