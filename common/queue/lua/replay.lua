#!lua
-- Makes dead jobs queued again, as if they had just been submitted. KEYS: dead, ready, stats, held, job…. ARGV: id….
-- Returns for each 1, or 0 when it is not dead (any more).
--@include record
--@include queue
--@include events
local answers = {}
local list = waiting_list(KEYS[2], KEYS[4], KEYS[3])
local count = 0
local told = {}
for i = 5, #KEYS do
    local id = ARGV[i - 4]
    local r, is_damaged = record_get(KEYS[i])
    answers[i - 4] = 0
    if r and r.state == 'd' then
        r.state, r.attempt, r.crashes, r.lost, r.status = 'q', 0, 0, 0, RETURNED -- it may have stored a result
        redis.call('SET', KEYS[i], record_text(r))
        redis.call('ZREM', KEYS[1], id)
        redis.call('LPUSH', list, id)
        answers[i - 4] = 1
        count = count + 1
        told[count] = id
    elseif not r and not is_damaged then
        redis.call('ZREM', KEYS[1], id)
    end
end
if count > 0 then
    redis.call('HINCRBY', KEYS[3], 'replayed', count)
end
tell(told)
return answers
