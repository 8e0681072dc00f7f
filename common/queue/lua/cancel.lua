#!lua flags=allow-oom
-- Cancels a job that has not ended. KEYS: job, scheduled, stats, and of the worker that was seen to hold it taken and revoked.
-- ARGV: id, retention in seconds, that worker ("" = none).
-- Returns 1 = it is cancelled, 0 = there is no such job, 2 = it had ended before, 3 = another worker has it by now: look again.
-- A queued one stays in its list: nothing walks a list for it, the next claim drops what is no longer queued.
--@include record
--@include ended
--@include events
local r = record_get(KEYS[1])
if not r then
    return 0
end
if r.state == '+' or r.state == 'd' or r.state == 'c' then
    return 2
end
if r.state == 'r' then
    if ARGV[3] == '' or not is_held_by(r, ARGV[3]) then
        return 3
    end
    redis.call('LREM', KEYS[4], -1, ARGV[1])
    redis.call('LPUSH', KEYS[5], ARGV[1])
    redis.call('EXPIRE', KEYS[5], 86400)
elseif r.state == 's' then
    redis.call('ZREM', KEYS[2], ARGV[1])
end
local now = now_ms()
local finished = '"finished_at":' .. now .. '}'
r.state = 'c'
r.status = r.status == '' and '{' .. finished or string.sub(r.status, 1, -2) .. ',' .. finished
r.payload = ''
redis.call('SET', KEYS[1], record_text(r), 'EX', ARGV[2])
redis.call('HINCRBY', KEYS[3], 'cancelled', 1)
note_end(ARGV[1], r, now)
tell({ARGV[1]})
return 1
