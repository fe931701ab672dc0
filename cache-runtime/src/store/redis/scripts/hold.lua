-- KEYS[1] slot   ARGV: token, milliseconds, most tokens
local tokens = tokens_of_fence(KEYS[1])
if tokens and without(tokens, ARGV[1]) ~= tokens then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
-- Lost while its mutation runs: another may have come and gone in the gap, hence the taint.
redis.call('SET', KEYS[1], '\2501' .. with(tokens or '', ARGV[1], tonumber(ARGV[3])), 'PX', ARGV[2])
return 1
