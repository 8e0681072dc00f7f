#!lua flags=no-writes
-- Looks where jobs should stand, for the audit. KEYS: scheduled, dead, workers, job…. ARGV: id….
-- Returns for each: 'placed' (it is scheduled or dead, and stands there), 'listed' (it is queued or running: its id must be in
-- a list), 'ended' (it succeeded: it must stand nowhere), 'cancelled' (it may still be in a list), 'gone' (there is no record)
-- or 'stray' (it is scheduled, dead or running and does not stand there).
--@include record
local answers = {}

local function worker_of(key)
    local head = redis.call('GETRANGE', key, 0, HEAD_LENGTH - 1)
    if #head < HEAD_LENGTH then
        return ''
    end
    local start = HEAD_LENGTH + struct.unpack('>H', head, HEAD_LENGTH - 3)
    return string.match(redis.call('GETRANGE', key, start, start + 100), '^{"worker":"([^"]*)"') or ''
end

local function look(key, id)
    local head = redis.pcall('GETRANGE', key, 0, 1)
    local state = type(head) == 'string' and string.sub(head, 2, 2) or '?'
    if head == '' then
        return 'gone'
    elseif state == 's' then
        return redis.call('ZSCORE', KEYS[1], id) and 'placed' or 'stray'
    elseif state == 'd' then
        return redis.call('ZSCORE', KEYS[2], id) and 'placed' or 'stray'
    elseif state == 'r' then
        return redis.call('ZSCORE', KEYS[3], worker_of(key)) and 'listed' or 'stray'
    elseif state == 'q' then
        return 'listed'
    end
    return state == '+' and 'ended' or 'cancelled'
end

for i = 4, #KEYS do
    answers[i - 3] = look(KEYS[i], ARGV[i - 3])
end
return answers
