#!lua
-- Makes dead jobs queued again, as if they had just been submitted: what was tried before is excused, and its numbers are not
-- used again; a job that had expired does not expire at once. KEYS: dead, ready, stats, held, job…. ARGV: id….
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
        r.state, r.excused, r.crashes, r.lost, r.status = 'q', r.attempt, 0, 0, ''
        r.spec = string.gsub(r.spec, ',"expires_at":%d+', '') -- no text of a caller's can read so: its quotes are escaped
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
