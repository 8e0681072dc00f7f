#!lua flags=no-writes
-- Ids that wait, the oldest first, behind one that was seen. KEYS: ready, held, stats. ARGV: that id ("" = from the beginning),
-- its place when it was seen (0 is the head), how many.
-- Returns {the place of the first, id…}. Nothing is walked: the id is looked for around its old place, then around the one that
-- its time gives; when it has gone, so has what stood before it, and the rest goes on from there.
--@include queue
local NEAR = 256
local list = waiting_list(KEYS[1], KEYS[2], KEYS[3])
local seen, count = ARGV[1], tonumber(ARGV[3])

-- Places are counted from the head, which is the right end.
local function window(first, last)
    return redis.call('LRANGE', list, -last - 1, -first - 1)
end

local function find(around)
    local first = math.max(0, around - NEAR)
    local ids = window(first, around + NEAR)
    for i = #ids, 1, -1 do
        if ids[i] == seen then
            return first + #ids - i
        end
    end
end

-- The first place whose id is a later one: ids rise with the time of their submission, and so do nearly all places.
local function place_by_time()
    local low, high = 0, redis.call('LLEN', list)
    while low < high do
        local middle = math.floor((low + high) / 2)
        if redis.call('LINDEX', list, -middle - 1) <= seen then
            low = middle + 1
        else
            high = middle
        end
    end
    return low
end

local first = 0
if seen ~= '' then
    local place = find(tonumber(ARGV[2]))
    if place then
        first = place + 1
    else
        local by_time = place_by_time()
        place = find(by_time)
        first = place and place + 1 or by_time
    end
end
local ids = window(first, first + count - 1)
local answer = {first}
for i = #ids, 1, -1 do
    answer[#answer + 1] = ids[i]
end
return answer
