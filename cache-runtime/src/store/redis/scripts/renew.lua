-- KEYS[1] slot   ARGV: lease, milliseconds
if redis.pcall('GETRANGE', KEYS[1], 0, 16) ~= '\249' .. ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
