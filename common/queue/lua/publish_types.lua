#!lua flags=allow-oom
-- Says what a worker serves. KEYS: types. ARGV: the text (workers that serve the same say the same), how many seconds it is
-- remembered, how many texts there may be.
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] - ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
