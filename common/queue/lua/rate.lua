#!lua flags=allow-oom
-- Hands out tokens of a caller's rate: as many as are there, up to what is wanted.
-- KEYS: rate. ARGV: how many there may be at most, in how many ms so many come again, how many are wanted.
-- Returns {granted, how many are left, ms until there is another one (0 = all that were wanted were granted)}.
local most, period, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local tokens, at = most, now
local before = redis.call('GET', KEYS[1])
if before then
    local had, when = string.match(before, '^(%S+) (%S+)$')
    tokens, at = tonumber(had) or most, tonumber(when) or now
end
tokens = math.min(most, tokens + math.max(0, now - at) * most / period)
local granted = math.min(wanted, math.floor(tokens))
tokens = tokens - granted
redis.call('SET', KEYS[1], string.format('%.6f %.3f', tokens, now), 'PX', string.format('%.0f', period + 1000))
local wait = granted < wanted and math.ceil((1 - tokens % 1) * period / most) or 0
return {granted, math.floor(tokens), wait}
