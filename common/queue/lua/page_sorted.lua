#!lua flags=no-writes
-- Ids of a sorted set, behind one that was seen. KEYS: the set. ARGV: that id ("" = from the beginning), its score when it was
-- seen, how many, 1 = the highest score first (else the lowest). Ids of one score follow their own order.
-- Returns {id, score, …}. It does not matter whether the one that was seen is still there.
local key, seen, score, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local is_down = ARGV[4] == '1'

-- How many stand before (score, seen), and whether it stands there itself.
local function rank_of_seen()
    local now = redis.call('ZSCORE', key, seen)
    if now and tonumber(now) == tonumber(score) then
        return redis.call('ZRANK', key, seen), 1
    end
    local low = redis.call('ZCOUNT', key, '-inf', '(' .. score)
    local high = low + redis.call('ZCOUNT', key, score, score)
    while low < high do
        local middle = math.floor((low + high) / 2)
        if redis.call('ZRANGE', key, middle, middle)[1] < seen then
            low = middle + 1
        else
            high = middle
        end
    end
    return low, 0
end

if seen == '' then
    return redis.call(is_down and 'ZREVRANGE' or 'ZRANGE', key, 0, count - 1, 'WITHSCORES')
end
local before, is_there = rank_of_seen()
if not is_down then
    local first = before + is_there
    return redis.call('ZRANGE', key, first, first + count - 1, 'WITHSCORES')
end
if before == 0 then
    return {}
end
local up = redis.call('ZRANGE', key, math.max(0, before - count), before - 1, 'WITHSCORES')
local answer = {}
for i = #up - 1, 1, -2 do
    answer[#answer + 1] = up[i]
    answer[#answer + 1] = up[i + 1]
end
return answer
