#!lua flags=no-writes
-- Schedules whose time has come. KEYS: due, text, record. ARGV: how many at the most.
-- Returns {now, the time of the next one or -1, {key, text, record, time}…}.
--@include record
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local next_one = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local found = {tonumber(now), tonumber(next_one[2] or -1)}
for i = 1, #due, 2 do
    local text = redis.call('HGET', KEYS[2], due[i]) or ''
    found[#found + 1] = {due[i], text, redis.call('HGET', KEYS[3], due[i]) or '', due[i + 1]}
end
return found
