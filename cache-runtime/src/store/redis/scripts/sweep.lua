-- One page of a scan: invalidates each slot that it finds, so that no name has to travel.
-- ARGV: cursor, pattern, how many keys to look at
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3], 'TYPE', 'string')
for _, key in ipairs(page[2]) do
  local tokens, tainted = tokens_of_fence(key)
  if not tokens then
    redis.call('UNLINK', key)
  elseif not tainted then
    redis.call('SETRANGE', key, 1, '1')
  end
end
-- The next cursor, twice: if it was damaged on its way, they differ.
return page[1] .. ' ' .. page[1]
