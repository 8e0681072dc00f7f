#!lua flags=allow-oom
-- Moves up to ARGV[1] ids from the head of ready to the worker's list, oldest first. Returns them; nothing to a worker that
-- is not registered (any more): nobody would look after its list.
-- KEYS: ready, taken, workers. ARGV: count, worker.
local ids = {}
if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[2]) or 0) == 0 then
    return ids
end
for i = 1, tonumber(ARGV[1]) do
    local id = redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')
    if not id then
        break
    end
    ids[i] = id
end
return ids
