#!lua
-- Makes dead jobs queued again, as if they had just been submitted. KEYS: dead, ready, stats, job…. ARGV: id….
-- Returns for each 1, or 0 when it is not dead (any more).
--@include record
local answers = {}
local count = 0
for i = 4, #KEYS do
    local id = ARGV[i - 3]
    local r = record_open(redis.call('GET', KEYS[i]))
    answers[i - 3] = 0
    if r and r.state == 'd' then
        r.state, r.attempt, r.crashes, r.lost, r.status = 'q', 0, 0, 0, ''
        redis.call('SET', KEYS[i], record_text(r))
        redis.call('ZREM', KEYS[1], id)
        redis.call('LPUSH', KEYS[2], id)
        answers[i - 3] = 1
        count = count + 1
    elseif not r then
        redis.call('ZREM', KEYS[1], id)
    end
end
if count > 0 then
    redis.call('HINCRBY', KEYS[3], 'replayed', count)
end
return answers
