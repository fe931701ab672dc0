-- Takes the lease of a slot, unless something stands there; returns what does.
-- Anything that is no slot of ours, of whatever type, counts as empty.
local function take(key, lease, milliseconds, over)
  local slot = redis.pcall('GET', key)
  if type(slot) == 'string' then
    local state, len = slot:byte(1), #slot
    if state == 0xF8 and len >= 17 and slot:sub(2, 17) ~= over then return slot end
    if state == 0xF9 and len == 17 then return slot end
    if state == 0xFA and len >= 18 and len % 16 == 2 then return slot end
  end
  redis.call('SET', key, '\249' .. lease, 'PX', milliseconds)
  return false
end
