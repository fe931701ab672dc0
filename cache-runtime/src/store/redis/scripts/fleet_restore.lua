-- KEYS[1] the record of the fleet's switch   ARGV: when it was changed, fields and values of what a process knows
put_back(KEYS[1], 1)
return redis.call('HGETALL', KEYS[1])
