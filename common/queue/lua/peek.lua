#!lua flags=no-writes
-- Jobs without their payloads, which may be large. KEYS: job….
-- Returns for each the record up to its payload, or false when there is none.
--@include record
local AT_ONCE = 1024 -- bytes; longer heads are read a second time
local answers = {}
for i = 1, #KEYS do
    local text = redis.pcall('GETRANGE', KEYS[i], 0, AT_ONCE - 1)
    if type(text) ~= 'string' then
        answers[i] = '?' -- no record of any version: it is damaged
    elseif #text < HEAD_LENGTH then
        answers[i] = text ~= '' and text
    else
        local spec_length, status_length = struct.unpack('>HH', text, HEAD_LENGTH - 3)
        local length = HEAD_LENGTH + spec_length + status_length
        if length > AT_ONCE then
            text = redis.call('GETRANGE', KEYS[i], 0, length - 1)
        end
        answers[i] = string.sub(text, 1, length)
    end
end
return answers
