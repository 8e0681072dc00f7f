#!lua flags=allow-oom
-- Makes due jobs queued. KEYS: scheduled, ready, stats, held, job…. ARGV: id…, in the order of their times. Returns how many.
-- What another worker promoted meanwhile, or was put off, is left alone.
--@include record
--@include queue
--@include events
local now = tonumber(now_ms())
local count = 0
local told = {}
local list = waiting_list(KEYS[2], KEYS[4], KEYS[3])
for i = 5, #KEYS do
    local id = ARGV[i - 4]
    local due = redis.call('ZSCORE', KEYS[1], id)
    if due and tonumber(due) <= now then
        redis.call('ZREM', KEYS[1], id)
        local r, is_damaged = record_get(KEYS[i])
        local is_waiting = r and r.state == 's'
        if is_waiting then
            r.state = 'q'
            r.status = ''
            redis.call('SET', KEYS[i], record_text(r))
        end
        if is_waiting or is_damaged then -- start sets a damaged one aside
            redis.call('LPUSH', list, id)
            count = count + 1
            told[count] = id
        end
    end
end
tell(told)
return count
