-- KEYS: some keys   For each: the bytes it takes, the milliseconds that it lives on, the seconds since it was used; -1 where that is not told.
-- None of these commands counts as a use.
local function number(answer) return type(answer) == 'number' and answer or -1 end
local told = {}
for _, key in ipairs(KEYS) do
  told[#told + 1] = number(redis.pcall('MEMORY', 'USAGE', key))
  told[#told + 1] = number(redis.pcall('PTTL', key))
  told[#told + 1] = number(redis.pcall('OBJECT', 'IDLETIME', key))
end
return told
