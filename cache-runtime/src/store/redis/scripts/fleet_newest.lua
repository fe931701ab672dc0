-- Put in front of the scripts that change the record of the fleet's switch.
-- When a record was changed last, in milliseconds since 1970; nothing where a person wrote it who did not say.
local function changed(record)
  local text = redis.pcall('HGET', record, 'changed')
  return type(text) == 'string' and tonumber(text) or nil
end

-- Puts back what a process knows (ARGV from this one on: when it was changed, or '' for nothing; then fields and values) where the record was
-- lost, or an older one stands. A record without a time was written by a person, and stands.
local function put_back(record, from)
  local known = tonumber(ARGV[from])
  if not known then return 0 end
  if redis.call('EXISTS', record) == 1 then
    local stands = changed(record)
    if not stands or stands >= known then return known end
  end
  redis.call('DEL', record)
  redis.call('HSET', record, 'changed', unpack(ARGV, from))
  return known
end

-- The next time of a change: never the same twice, and never an earlier one, whatever becomes of the clock. The newest record is in force.
local function after(last)
  local time = redis.call('TIME')
  return string.format('%.0f', math.max(time[1] * 1000 + math.floor(time[2] / 1000), last + 1))
end

