#!lua flags=allow-oom
-- Makes due jobs queued. KEYS: scheduled, ready, job…. ARGV: id…, in the order of their times. Returns how many.
-- What another worker promoted meanwhile, or was put off, is left alone.
--@include record
local now = tonumber(now_ms())
local count = 0
for i = 3, #KEYS do
    local id = ARGV[i - 2]
    local due = redis.call('ZSCORE', KEYS[1], id)
    if due and tonumber(due) <= now then
        redis.call('ZREM', KEYS[1], id)
        local text = redis.call('GET', KEYS[i])
        if text and string.sub(text, 2, 2) == 's' then
            local r = record_open(text)
            if r then
                r.state = 'q'
                r.status = ''
                text = record_text(r)
            else
                text = record_with_state(text, 'q')
            end
            redis.call('SET', KEYS[i], text)
            redis.call('LPUSH', KEYS[2], id)
            count = count + 1
        end
    end
end
return count
