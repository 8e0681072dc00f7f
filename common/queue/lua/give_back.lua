#!lua flags=allow-oom
-- Puts taken jobs back at the head of ready, in their order. KEYS: taken, ready, stats, held, job…. ARGV: worker, id… (oldest
-- first). An attempt that is given back is excused: it counts as no failure, and its number is not used again.
-- Returns how many went back.
--@include record
--@include queue
--@include events
local worker = ARGV[1]
local count = 0
local told = {}
local list = waiting_list(KEYS[2], KEYS[4], KEYS[3])
for i = #KEYS, 5, -1 do
    local id = ARGV[i - 3]
    if redis.call('LREM', KEYS[1], -1, id) > 0 then
        local r, is_damaged = record_get(KEYS[i])
        if r and r.state == 'r' and is_held_by(r, worker) then
            r.state = 'q'
            r.excused = r.excused + 1
            r.status = ''
            redis.call('SET', KEYS[i], record_text(r))
        end
        if is_damaged or r and r.state == 'q' then -- start sets a damaged one aside
            redis.call('RPUSH', list, id)
            count = count + 1
            told[count] = id
        end
    end
end
if count > 0 then
    redis.call('HINCRBY', KEYS[3], 'returned', count)
end
tell(told)
return count
