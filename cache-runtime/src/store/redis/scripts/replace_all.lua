-- KEYS slots   ARGV: for each what `replace` takes
local stored = {}
for i = 1, #KEYS do
  stored[i] = swap(KEYS[i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])
end
return stored
