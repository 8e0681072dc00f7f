#!lua
-- Accepts a job. Refused by Redis itself when it is out of memory.
-- KEYS: job, ready, stats. ARGV: id, record. Returns 1, or 0 when the id is taken.
if not redis.call('SET', KEYS[1], ARGV[2], 'NX') then
    return 0
end
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'submitted', 1)
return 1
