#!lua flags=no-writes
-- Jobs without their payloads, which may be large. KEYS: job and progress of each in turns.
-- Returns for each the record up to its payload, and of a running one what was told of its progress in the payload's place; or
-- false when there is none.
--@include record
local AT_ONCE = 1024 -- bytes; longer heads are read a second time
local answers = {}
for i = 1, #KEYS / 2 do
    local text = redis.pcall('GETRANGE', KEYS[2 * i - 1], 0, AT_ONCE - 1)
    if type(text) ~= 'string' then
        answers[i] = '?' -- no record of any version: it is damaged
    elseif #text < HEAD_LENGTH then
        answers[i] = text ~= '' and text
    else
        local spec_length, status_length = struct.unpack('>HH', text, HEAD_LENGTH - 3)
        local length = HEAD_LENGTH + spec_length + status_length
        if length > AT_ONCE then
            text = redis.call('GETRANGE', KEYS[2 * i - 1], 0, length - 1)
        end
        answers[i] = string.sub(text, 1, length)
        if string.sub(text, 2, 2) == 'r' then
            answers[i] = answers[i] .. (redis.call('GET', KEYS[2 * i]) or '')
        end
    end
end
return answers
