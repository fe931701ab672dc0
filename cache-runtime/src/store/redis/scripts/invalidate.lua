-- KEYS[1] slot
local tokens, tainted = tokens_of_fence(KEYS[1])
if not tokens then
  redis.call('UNLINK', KEYS[1])
elseif not tainted then
  redis.call('SETRANGE', KEYS[1], 1, '1')
end
return 1
