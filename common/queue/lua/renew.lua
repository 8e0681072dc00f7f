#!lua flags=allow-oom
-- A worker's heartbeat. KEYS: workers, revoked, slots. ARGV: worker, 1 at its first and 0 later, how many jobs it runs at once,
-- how long its lease lasts from now on in ms.
-- Returns {how many workers are registered, ids of jobs that were cancelled under it…}, or {} when somebody began to reap
-- this one: an id that is gone never comes back.
if ARGV[2] == '1' then
    redis.call('HSET', KEYS[3], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
elseif tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) == 0 then
    return {}
end
local now = redis.call('TIME')
local ends = string.format('%d%03d', now[1], math.floor(now[2] / 1000)) + ARGV[4]
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[1])
local answer = redis.call('LPOP', KEYS[2], 256) or {}
table.insert(answer, 1, redis.call('ZCARD', KEYS[1]))
return answer
