-- KEYS[1] slot   ARGV: token
local tokens = tokens_of_fence(KEYS[1])
lower(KEYS[1], tokens, ARGV[1])
return 1
