redis.call('UNLINK', stream)
return publish(key, stream, payload, history, kept, remembered, command)
