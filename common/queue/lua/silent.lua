#!lua flags=no-writes
-- Names up to 16 workers whose lists somebody has to look after: registered ones whose lease is over, and reaped ones (a
-- blocking move of a frozen worker may still have landed in their list): the newest, and some at random.
-- KEYS: workers, reaped.
local now = redis.call('TIME')
local now_ms = string.format('%d%03d', now[1], math.floor(now[2] / 1000))
local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, 8)
for _, reaped in ipairs({redis.call('ZREVRANGE', KEYS[2], 0, 3), redis.call('ZRANDMEMBER', KEYS[2], 4)}) do
    for _, name in ipairs(reaped) do
        names[#names + 1] = name
    end
end
return names
