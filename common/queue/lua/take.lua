#!lua flags=allow-oom
-- Moves up to ARGV[1] ids from the head of ready to the worker's list, oldest first. Returns them.
-- KEYS: ready, taken.
local ids = {}
for i = 1, tonumber(ARGV[1]) do
    local id = redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')
    if not id then
        break
    end
    ids[i] = id
end
return ids
