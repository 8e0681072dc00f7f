#!lua flags=allow-oom
-- Forgets a schedule. KEYS: names, text, record, due, last. ARGV: key. Returns 1, or 0 when there was none.
local count = redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
return count
