-- KEYS[1] the record of the fleet's switch   ARGV: when it was changed last as a process has read it, or ''; '1' if the switch was thrown since;
-- when it was changed last as far as that process knew before, or ''
-- Dates what a person has written, unless another process was faster: an older record that comes back does not undo it then.
local record = KEYS[1]
redis.call('HDEL', record, '')
local last = redis.call('HGET', record, 'changed') or ''
if last == ARGV[1] and redis.call('EXISTS', record) == 1 then
  local now = after(math.max(tonumber(last) or 0, tonumber(ARGV[3]) or 0))
  redis.call('HDEL', record, 'changed_by')
  redis.call('HSET', record, 'changed', now)
  if ARGV[2] == '1' or redis.call('HEXISTS', record, 'since') == 0 then redis.call('HSET', record, 'since', now) end
end
return redis.call('HGETALL', record)
