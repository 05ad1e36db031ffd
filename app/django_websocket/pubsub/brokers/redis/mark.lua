-- Sets the mark, if it is not there. FLUSHALL removes it, and leaves no other trace.
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%013.0f-999999', ms), 'NX')
return redis.call('GET', KEYS[1])
