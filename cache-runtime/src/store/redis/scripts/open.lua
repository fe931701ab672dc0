-- KEYS[1] the record of the generation   ARGV: a new generation, '1' to move to it in any case
-- A record that is gone, or that was made in another run of the server, says nothing about what stands here.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and info:match('run_id:(%x+)') or ''
local record = redis.pcall('GETRANGE', KEYS[1], 0, -1)
local same = type(record) == 'string' and record:match('^%x+%.%x+:(%x*)') == run
if same and ARGV[2] == '' then return record end
record = ARGV[1] .. ':' .. run
redis.call('SET', KEYS[1], record)
return record
