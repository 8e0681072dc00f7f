-- A job that has ended and whose caller wants to be told is noted for it, in the same step: workers take it from there. The text
-- may also stand there as the name of a caller's own metadata: then it is noted in vain.
local function note_end(id, r, now)
    if string.find(r.spec, '"callback_url":', 1, true) then
        local shard = string.sub(KEYS[1], 1, string.find(KEYS[1], '}', 1, true))
        redis.call('ZADD', shard .. ':callbacks', now, id)
    end
end
