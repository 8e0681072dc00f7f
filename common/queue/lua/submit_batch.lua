#!lua
-- Accepts many jobs that are queued at once. Refused by Redis itself when it is out of memory.
-- KEYS: ready, stats, held, scheduled; with an Idempotency-Key its key; job….
-- ARGV: how many jobs may wait, fingerprint of the request ("" = no Idempotency-Key), how long that is remembered (s), record….
-- Returns {'accepted', how many: the first ones, as many as there was room for}, {'repeated', their ULIDs} when the same request
-- was accepted before, {'mismatch'} when another one was, {'full'}, {'taken'} when an id is. With an Idempotency-Key all are
-- accepted or none.
--@include queue
local ULID_LENGTH = 26
local fingerprint = ARGV[2]
local first = fingerprint ~= '' and 6 or 5
local count = #KEYS - first + 1

if fingerprint ~= '' then
    local before = redis.call('GET', KEYS[5])
    if before then
        local same = string.sub(before, 1, #fingerprint) == fingerprint
        return same and {'repeated', string.sub(before, #fingerprint + 1)} or {'mismatch'}
    end
end

local list = waiting_list(KEYS[1], KEYS[3], KEYS[2])
local room = tonumber(ARGV[1]) - redis.call('LLEN', list) - redis.call('ZCARD', KEYS[4])
if room <= 0 or fingerprint ~= '' and room < count then
    return {'full'}
end
count = math.min(count, room)

local function undo(last)
    for i = 0, last do
        redis.call('DEL', KEYS[first + i])
    end
end

local ids = {}
local behind = string.find(KEYS[first], '}', 1, true) + #':job:' + 1
for i = 0, count - 1 do
    local key = KEYS[first + i]
    if not redis.call('SET', key, ARGV[4 + i], 'NX') then
        undo(i - 1)
        return {'taken'}
    end
    ids[i + 1] = string.sub(key, behind)
end
local placed = redis.pcall('LPUSH', list, unpack(ids))
if type(placed) == 'table' then -- the key is of another type: without a place there is no job
    undo(count - 1)
    return placed
end
if fingerprint ~= '' then
    for i = 1, count do
        ids[i] = string.sub(ids[i], -ULID_LENGTH)
    end
    redis.call('SET', KEYS[5], fingerprint .. table.concat(ids), 'EX', ARGV[3])
end
redis.call('HINCRBY', KEYS[2], 'submitted', count)
return {'accepted', count}
