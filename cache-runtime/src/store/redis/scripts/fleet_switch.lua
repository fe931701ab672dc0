-- KEYS[1] the record of the fleet's switch   ARGV: 'on' or 'off', who, a template or '', how many templates may be off
-- Answers the whole record, or nothing where too many are off.
local record = KEYS[1]
local function off()
  local count = 0
  for _, field in ipairs(redis.call('HKEYS', record)) do
    if string.sub(field, 1, 4) == 'off:' then count = count + 1 end
  end
  return count
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Never the same moment twice, whatever becomes of the clock: the newest record is the one in force.
local last = tonumber(redis.call('HGET', record, 'changed') or '') or 0
now = string.format('%.0f', math.max(now, last + 1))
if ARGV[3] == '' then
  redis.call('HSET', record, 'mode', ARGV[1], 'by', ARGV[2], 'since', now)
elseif ARGV[1] == 'on' then
  redis.call('HDEL', record, 'off:' .. ARGV[3])
elseif redis.call('HEXISTS', record, 'off:' .. ARGV[3]) == 0 and off() >= tonumber(ARGV[4]) then
  return false
else
  redis.call('HSET', record, 'off:' .. ARGV[3], now .. ' ' .. ARGV[2])
end
redis.call('HSET', record, 'changed', now, 'changed_by', ARGV[2])
return redis.call('HGETALL', record)
