-- KEYS slots, on one server
for _, key in ipairs(KEYS) do
  local tokens, tainted = tokens_of_fence(key)
  if not tokens then
    redis.call('UNLINK', key)
  elseif not tainted then
    redis.call('SETRANGE', key, 1, '1')
  end
end
return #KEYS
