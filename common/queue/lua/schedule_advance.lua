#!lua flags=allow-oom
-- Moves a schedule on to its next time. KEYS: due, last. ARGV: key, the time that it was read with, the next one (0 = never
-- again), what came of it ('' = nothing). Returns 1, or 0 when it was changed or moved on meanwhile.
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) ~= tonumber(ARGV[2]) then
    return 0
end
if ARGV[3] == '0' then
    redis.call('ZREM', KEYS[1], ARGV[1])
else
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
end
return 1
