-- KEYS[1] the record of the fleet's switch   ARGV: 'on' or 'off', who, 'mode' or 'off:' and a template, how many templates may be off, and what
-- the process knows, as it is put back
-- Answers the whole record, or nothing where too many are off.
local record, field = KEYS[1], ARGV[3]
-- Takes nothing away. A server that is full takes a script whose first command that writes takes no memory.
redis.call('HDEL', record, '')
-- What was lost is still in force, and not undone by what is thrown now.
local known = put_back(record, 5)
local function off()
  local count = 0
  for _, name in ipairs(redis.call('HKEYS', record)) do
    if string.sub(name, 1, 4) == 'off:' then count = count + 1 end
  end
  return count
end
local now = after(math.max(changed(record) or 0, known))
if field == 'mode' then
  redis.call('HSET', record, 'mode', ARGV[1], 'by', ARGV[2], 'since', now)
elseif ARGV[1] == 'on' then
  redis.call('HDEL', record, field)
elseif redis.call('HEXISTS', record, field) == 0 and off() >= tonumber(ARGV[4]) then
  return false
else
  redis.call('HSET', record, field, now .. ' ' .. ARGV[2])
end
redis.call('HSET', record, 'changed', now, 'changed_by', ARGV[2])
return redis.call('HGETALL', record)
