-- Returns the id of the last change, and names and counts in turn.
forget_expired()
publish_changes()
return {redis.call('GET', key) or '0000000000000-000000', redis.call('HGETALL', names)}
