#!lua flags=no-writes
-- Schedules in the order of their keys. KEYS: names, text, due, last. ARGV: the least key ("[key" or "(key"), the greatest,
-- how many. Returns for each its key, text, due time ('' while it is paused) and what came of it last ('' = nothing).
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
    local text = redis.call('HGET', KEYS[2], key)
    if text then
        found[#found + 1] = {key, text, redis.call('ZSCORE', KEYS[3], key) or '', redis.call('HGET', KEYS[4], key) or ''}
    end
end
return found
