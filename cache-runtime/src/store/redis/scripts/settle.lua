-- KEYS[1] the record of the generation   ARGV: the generation that everybody has seen
local record = redis.call('GETRANGE', KEYS[1], 0, -1)
if record:sub(1, #ARGV[1]) ~= ARGV[1] then return 0 end
if record:sub(-8) ~= ':settled' then redis.call('SET', KEYS[1], record .. ':settled') end
return 1
