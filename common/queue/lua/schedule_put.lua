#!lua
-- Writes a schedule. KEYS: names, text, record, due. ARGV: key, text, record, 1 when it is paused, how many there may be.
-- Returns 0 = it is new, 1 = it replaced one, 2 = there are as many as may be.
local key = ARGV[1]
local is_new = redis.call('HEXISTS', KEYS[2], key) == 0
if is_new and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
    return 2
end
redis.call('ZADD', KEYS[1], 0, key)
redis.call('HSET', KEYS[2], key, ARGV[2])
redis.call('HSET', KEYS[3], key, ARGV[3])
if ARGV[4] == '1' then
    redis.call('ZREM', KEYS[4], key)
else
    redis.call('ZADD', KEYS[4], 0, key)
end
return is_new and 0 or 1
