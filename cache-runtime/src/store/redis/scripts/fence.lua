-- Put in front of the scripts that handle fences.
-- A fence is '\250', '0' or '1' for tainted, and the tokens of 16 bytes each.
local function tokens_of_fence(key)
  if redis.pcall('GETRANGE', key, 0, 0) ~= '\250' then return nil end
  local slot = redis.call('GET', key)
  if #slot < 18 or #slot % 16 ~= 2 then return nil end
  return slot:sub(3), slot:sub(2, 2) ~= '0'
end

local function without(tokens, token)
  local rest = {}
  for i = 1, #tokens, 16 do
    local t = tokens:sub(i, i + 15)
    if t ~= token then rest[#rest + 1] = t end
  end
  return table.concat(rest)
end

local function with(tokens, token, max)
  if #tokens >= max * 16 then tokens = tokens:sub(17) end
  return tokens .. token
end

-- Ends one mutation: what is left stays tainted, and where nothing is left the slot is empty.
local function lower(key, tokens, token)
  local rest = tokens and without(tokens, token) or ''
  if rest == '' then
    redis.call('UNLINK', key)
  else
    redis.call('SET', key, '\2501' .. rest, 'KEEPTTL')
  end
end

