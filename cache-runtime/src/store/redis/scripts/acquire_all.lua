-- KEYS slots   ARGV: for each what `acquire` takes
local found = {}
for i = 1, #KEYS do
  found[i] = take(KEYS[i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])
end
return found
