#!lua flags=no-writes
-- Looks which scheduled jobs are due. KEYS: scheduled. ARGV: how many at the most.
-- Returns {ms until the next one that is not among them, or -1 when there is none, id…}.
local now = redis.call('TIME')
local now_ms = string.format('%d%03d', now[1], math.floor(now[2] / 1000))
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[1])
local next_one = redis.call('ZRANGE', KEYS[1], #ids, #ids, 'WITHSCORES')
local answer = {next_one[2] and math.max(0, next_one[2] - now_ms) or -1}
for i, id in ipairs(ids) do
    answer[i + 1] = id
end
return answer
