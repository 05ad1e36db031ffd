-- KEYS and ARGV are the arguments of publish().
return publish(KEYS[1], KEYS[2], unpack(ARGV))
