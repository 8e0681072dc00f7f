#!lua
-- Makes a queue known. KEYS: queues. ARGV: name, how many there may be. Returns 1, or 0 when there are too many.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
    return 1
end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
end
redis.call('SADD', KEYS[1], ARGV[1])
return 1
