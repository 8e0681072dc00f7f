#!lua flags=allow-oom
-- Removes jobs from where they wait. KEYS: ready or held or scheduled or dead, stats, job…. ARGV: that place's state ('q', 's'
-- or 'd'), retention in seconds, id… (of a list the oldest first, so that each is found at once).
-- What was waiting is cancelled; a dead job is forgotten. Returns how many went.
--@include record
--@include ended
--@include events
local place, retention = ARGV[1], ARGV[2]
local count = 0
local told = {}
local now = now_ms()
local finished = '"finished_at":' .. now .. '}'
for i = 3, #KEYS do
    local id = ARGV[i]
    local removed
    if place == 'q' then
        removed = redis.call('LREM', KEYS[1], -1, id)
    else
        removed = redis.call('ZREM', KEYS[1], id)
    end
    local r = removed > 0 and record_get(KEYS[i])
    if place == 'd' and removed > 0 then
        redis.call('DEL', KEYS[i])
    elseif r and r.state == place then
        r.state = 'c'
        r.status = r.status == '' and '{' .. finished or string.sub(r.status, 1, -2) .. ',' .. finished
        r.payload = ''
        redis.call('SET', KEYS[i], record_text(r), 'EX', retention)
        redis.call('HINCRBY', KEYS[2], 'cancelled', 1)
        note_end(id, r, now)
    end
    if removed > 0 then
        told[#told + 1] = id
    end
    count = count + removed
end
tell(told)
return count
