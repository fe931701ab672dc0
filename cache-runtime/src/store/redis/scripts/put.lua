-- KEYS[1] slot   ARGV: token, milliseconds, new slot
local tokens, tainted = tokens_of_fence(KEYS[1])
if tokens == ARGV[1] and not tainted then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
  return 1
end
lower(KEYS[1], tokens, ARGV[1])
return 0
