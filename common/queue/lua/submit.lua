#!lua
-- Accepts a job. Refused by Redis itself when it is out of memory.
-- KEYS: job, ready, stats, scheduled, held; with an Idempotency-Key its key; with a unique_key its key and the record of the
-- job that was seen to have it (or, of none, the new job's again).
-- ARGV: id, record, the time before which it must not run (Unix ms, 0 = none), how long it must wait from now (ms), how many
-- jobs may wait, fingerprint of the request ("" = no Idempotency-Key), how long that is remembered (s), the id that was seen
-- to have the unique_key ("-" = no unique_key, "" = none was seen).
-- Returns {'accepted', the time from which it runs when that is to come, else 0}, {'repeated', id} when the same request
-- was accepted before, {'mismatch'} when another one was, {'unique', id} when a live job has the unique_key, {'look', id} when
-- another job than the one seen has it, {'full', how many wait}, {'taken'} when the id is.
--@include record
--@include queue
local fingerprint, seen = ARGV[6], ARGV[8]
local idempotency_key = fingerprint ~= '' and KEYS[6]
local unique_key = seen ~= '-' and KEYS[#KEYS - 1]

if idempotency_key then
    local before = redis.call('GET', idempotency_key)
    if before then
        local same = string.sub(before, 1, #fingerprint) == fingerprint
        return same and {'repeated', string.sub(before, #fingerprint + 1)} or {'mismatch'}
    end
end
if unique_key then
    local holder = redis.call('GET', unique_key) or ''
    if holder ~= seen then
        return {'look', holder}
    end
    local r = holder ~= '' and record_get(KEYS[#KEYS])
    if r and (r.state == 'q' or r.state == 's' or r.state == 'r') then
        return {'unique', holder}
    end
end

local list = waiting_list(KEYS[2], KEYS[5], KEYS[3])
local depth = redis.call('LLEN', list) + redis.call('ZCARD', KEYS[4])
if depth >= tonumber(ARGV[5]) then
    return {'full', depth}
end

local now, due = 0, 0
if ARGV[3] ~= '0' or ARGV[4] ~= '0' then
    now = tonumber(now_ms())
    due = math.max(tonumber(ARGV[3]), now + tonumber(ARGV[4]))
end
local text = ARGV[2]
if due > now then
    local r = record_open(text)
    r.state = 's'
    r.status = string.format('{"due_at":%.0f}', due)
    text = record_text(r)
end
if not redis.call('SET', KEYS[1], text, 'NX') then
    return {'taken'}
end
local placed
if due > now then
    placed = redis.pcall('ZADD', KEYS[4], string.format('%.0f', due), ARGV[1])
else
    placed = redis.pcall('LPUSH', list, ARGV[1])
    due = 0
end
if type(placed) == 'table' then -- the key is of another type: without a place there is no job
    redis.call('DEL', KEYS[1])
    return placed
end
if idempotency_key then
    redis.call('SET', idempotency_key, fingerprint .. ARGV[1], 'EX', ARGV[7])
end
if unique_key then
    redis.call('SET', unique_key, ARGV[1], 'EX', 31536000)
end
redis.call('HINCRBY', KEYS[3], 'submitted', 1)
return {'accepted', due}
