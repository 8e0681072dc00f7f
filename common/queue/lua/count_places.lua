#!lua flags=no-writes
-- In how many places an id stands, for the few that the audit suspects: the one script that walks lists.
-- KEYS: job, scheduled, dead, ready, held, taken…. ARGV: id. Returns {state's letter or '', how many}.
local state = redis.pcall('GETRANGE', KEYS[1], 1, 1)
local count = 0
for i = 2, 3 do
    if redis.call('ZSCORE', KEYS[i], ARGV[1]) then
        count = count + 1
    end
end
for i = 4, #KEYS do
    count = count + #redis.call('LPOS', KEYS[i], ARGV[1], 'COUNT', 0)
end
return {type(state) == 'string' and state or '?', count}
