#!lua flags=allow-oom
-- Forgets an Idempotency-Key, if it still stands for this job. KEYS: its key. ARGV: id. Returns how many went.
local before = redis.call('GET', KEYS[1])
if before and string.sub(before, -#ARGV[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
