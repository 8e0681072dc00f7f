#!lua
-- Accepts a job. Refused by Redis itself when it is out of memory.
-- KEYS: job, ready, stats, scheduled. ARGV: id, record, the time before which it must not run (Unix ms, 0 = none), how long
-- it must wait from now (ms). Returns the time from which it runs when that is to come, else 0; -1 when the id is taken.
--@include record
local now = tonumber(now_ms())
local due = math.max(tonumber(ARGV[3]), now + tonumber(ARGV[4]))
if due <= now then
    if not redis.call('SET', KEYS[1], ARGV[2], 'NX') then
        return -1
    end
    redis.call('LPUSH', KEYS[2], ARGV[1])
    redis.call('HINCRBY', KEYS[3], 'submitted', 1)
    return 0
end
local r = record_open(ARGV[2])
r.state = 's'
r.status = string.format('{"due_at":%.0f}', due)
if not redis.call('SET', KEYS[1], record_text(r), 'NX') then
    return -1
end
redis.call('ZADD', KEYS[4], string.format('%.0f', due), ARGV[1])
redis.call('HINCRBY', KEYS[3], 'submitted', 1)
return due
