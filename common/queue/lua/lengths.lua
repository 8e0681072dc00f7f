#!lua flags=no-writes
-- How many jobs each of these lists holds. KEYS: taken…. Returns the numbers.
local lengths = {}
for i = 1, #KEYS do
    lengths[i] = redis.call('LLEN', KEYS[i])
end
return lengths
