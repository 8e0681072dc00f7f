#!lua flags=allow-oom
-- Pauses a queue (ARGV[1] = 1) or lets it go on (0). KEYS: ready, held, stats. Returns 1, or 0 when it was so already.
-- The list changes its name, so that blocked workers sleep on and are woken when it comes back.
local pause = ARGV[1] == '1'
local from = pause and KEYS[1] or KEYS[2]
local to = pause and KEYS[2] or KEYS[1]
local changed
if pause then
    changed = redis.call('HSET', KEYS[3], 'paused', 1)
else
    changed = redis.call('HDEL', KEYS[3], 'paused')
end
if redis.call('EXISTS', from) == 1 then
    if redis.call('EXISTS', to) == 0 then
        redis.call('RENAME', from, to)
    else -- only somebody else's commands can have filled both: the older ones go to the head
        while redis.call('LMOVE', from, to, 'LEFT', 'RIGHT') do
        end
    end
end
return changed
