-- KEYS[1] the record of the fleet's switch   ARGV: when it was changed, fields and values of what a process knows
-- Puts back what was lost (a flush, an older snapshot). A record without a time was written by a person, and stands.
local record = KEYS[1]
if redis.call('EXISTS', record) == 1 then
  local changed = tonumber(redis.call('HGET', record, 'changed') or '')
  if not changed or changed >= tonumber(ARGV[1]) then return redis.call('HGETALL', record) end
end
redis.call('DEL', record)
redis.call('HSET', record, 'changed', unpack(ARGV))
return redis.call('HGETALL', record)
