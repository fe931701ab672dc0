-- KEYS[1] slot   ARGV: token, milliseconds, most tokens
local tokens = tokens_of_fence(KEYS[1])
local slot = tokens and '\2501' .. with(tokens, ARGV[1], tonumber(ARGV[3])) or '\2500' .. ARGV[1]
redis.call('SET', KEYS[1], slot, 'PX', ARGV[2])
return 1
