#!lua flags=allow-oom
-- Keeps how far a running job is. KEYS: job, progress. ARGV: id, worker, attempt, text, how many seconds it is kept.
-- Returns 1, or 0 when the job is not this try's (any more).
--@include record
--@include events
local r = record_get(KEYS[1])
if not r or r.state ~= 'r' or r.attempt ~= tonumber(ARGV[3]) or not is_held_by(r, ARGV[2]) then
    return 0
end
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
tell({ARGV[1]})
return 1
