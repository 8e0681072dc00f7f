#!lua flags=allow-oom
-- Puts taken jobs back at the head of ready, in their order. KEYS: taken, ready, stats, job…. ARGV: worker, id… (oldest
-- first). An attempt that is given back does not count. Returns how many went back.
--@include record
local worker = ARGV[1]
local count = 0
for i = #KEYS, 4, -1 do
    local id = ARGV[i - 2]
    if redis.call('LREM', KEYS[1], -1, id) > 0 then
        local r = record_open(redis.call('GET', KEYS[i]))
        if r and r.state == 'r' and is_held_by(r, worker) then
            r.state = 'q'
            r.attempt = r.attempt - 1
            r.status = ''
            redis.call('SET', KEYS[i], record_text(r))
        end
        if r and r.state == 'q' then
            redis.call('RPUSH', KEYS[2], id)
            count = count + 1
        end
    end
end
if count > 0 then
    redis.call('HINCRBY', KEYS[3], 'returned', count)
end
return count
