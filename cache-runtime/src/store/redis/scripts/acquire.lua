-- KEYS[1] slot   ARGV: lease, milliseconds, token of the value that may be replaced (or '')
-- Anything that is no slot of ours, of whatever type, counts as empty.
local slot = redis.pcall('GET', KEYS[1])
if type(slot) == 'string' then
  local state, len = slot:byte(1), #slot
  if state == 0xF8 and len >= 17 and slot:sub(2, 17) ~= ARGV[3] then return slot end
  if state == 0xF9 and len == 17 then return slot end
  if state == 0xFA and len >= 18 and len % 16 == 2 then return slot end
end
redis.call('SET', KEYS[1], '\249' .. ARGV[1], 'PX', ARGV[2])
return false
