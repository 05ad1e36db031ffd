-- Since when this Redis has been running, as an id, a second or two too early. The key only selects
-- the node of a cluster.
local seconds = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
local time = redis.call('TIME')
return string.format('%013.0f-000000', (time[1] - seconds - 1) * 1000)
