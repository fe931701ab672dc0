-- Stores a slot, if what stands there begins as expected.
local function swap(key, expected, milliseconds, new)
  if redis.pcall('GETRANGE', key, 0, 16) ~= expected then return 0 end
  redis.call('SET', key, new, 'PX', milliseconds)
  return 1
end
