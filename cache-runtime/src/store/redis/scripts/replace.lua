-- Fill and refresh: stores a slot, if what stands there begins as expected.
-- KEYS[1] slot   ARGV: expected mark and token, milliseconds, new slot
if redis.pcall('GETRANGE', KEYS[1], 0, 16) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return 1
