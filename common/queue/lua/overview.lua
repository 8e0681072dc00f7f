#!lua flags=no-writes
-- What stands where in one shard. KEYS: ready, held, scheduled, dead, stats, workers, slots.
-- Returns {waiting, scheduled, dead, 1 if paused, the id at the head of what waits or '', now in ms, {worker, end of its lease,
-- …}, {slots and lease of each of these workers}, {counter, value, …}}; of workers at most 1000.
local now = redis.call('TIME')
local paused = redis.call('HEXISTS', KEYS[5], 'paused')
local list = paused == 1 and KEYS[2] or KEYS[1]
local seen = redis.call('ZRANGE', KEYS[6], 0, 999, 'WITHSCORES')
local names = {}
for i = 1, #seen, 2 do
    names[#names + 1] = seen[i]
end
local slots = #names > 0 and redis.call('HMGET', KEYS[7], unpack(names)) or {}
return {
    redis.call('LLEN', list), redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[4]), paused,
    redis.call('LINDEX', list, -1) or '', string.format('%d%03d', now[1], math.floor(now[2] / 1000)),
    seen, slots, redis.call('HGETALL', KEYS[5]),
}
