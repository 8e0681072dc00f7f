#!lua flags=allow-oom
-- Gives a silent worker's jobs back. KEYS: workers, reaped, ready, scheduled, dead, stats, the worker's taken,
-- held, slots, job….
-- ARGV: the worker, 1 if it leaves by itself (else 0), how often a job may be lost, id… (of its list, oldest first).
-- From now on the worker is refused: it stays registered, with a lease that ended at 0, until its list is empty.
-- Ids go back to the head of ready, in their order. Those that were lost before come back one after the other, and wait longer
-- each time: so one that kills its workers does it alone, and does not bury its neighbours.
-- Returns how many jobs it moved, or -1 when the worker is alive after all.
--@include record
--@include ended
--@include queue
--@include events
local now = now_ms()
local worker = ARGV[1]
local max_lost = tonumber(ARGV[3])
local REMEMBERED_MS = 86400000
local FIRST_JOB = 10
local LOST_DELAY_MAX_MS = 600000
local LAST_STEP = 15 -- how many steps the last of them waits longer than the first, at the most

local ends = redis.call('ZSCORE', KEYS[1], worker)
if ARGV[2] ~= '1' and ends and tonumber(ends) > tonumber(now) then
    return -1
end

local list = waiting_list(KEYS[3], KEYS[8], KEYS[6])

-- The status without the worker: what that one settles late is stale.
local function status_begin(r)
    return '{"started_at":' .. (string.match(r.status, '"started_at":(%d+)') or 0)
end

local function end_lost(r, key, id)
    r.state = 'd'
    r.status = status_begin(r) .. ',"finished_at":' .. now
        .. ',"error":{"code":"worker_lost","message":"' .. r.lost
        .. ' workers vanished while they ran it: does it use up their memory? See the log of its node"}}'
    redis.call('SET', key, record_text(r))
    redis.call('ZADD', KEYS[5], now, id)
    redis.call('HINCRBY', KEYS[6], 'dead', 1)
    note_end(id, r, now)
end

local step = math.min(1, LAST_STEP / (#KEYS - FIRST_JOB + 1))

local function give_back(r, key, id, rank)
    local is_last = r.lost >= max_lost
    r.lost = math.min(r.lost + 1, 255)
    if is_last then
        end_lost(r, key, id)
    elseif r.lost == 1 then
        r.state = 'q'
        r.status = ''
        redis.call('SET', key, record_text(r))
        redis.call('RPUSH', list, id)
    else
        local wait = math.min(1000 * 2 ^ r.lost, LOST_DELAY_MAX_MS)
        local due = string.format('%.0f', tonumber(now) + wait * (1 + rank * step))
        r.state = 's'
        r.status = status_begin(r) .. ',"due_at":' .. due .. '}'
        redis.call('SET', key, record_text(r))
        redis.call('ZADD', KEYS[4], due, id)
    end
    redis.call('HINCRBY', KEYS[6], 'lost', 1)
end

local moved = 0
local told = {}
for i = #KEYS, FIRST_JOB, -1 do
    local id = ARGV[i - 6]
    if redis.call('LREM', KEYS[7], -1, id) > 0 then
        local r, is_damaged = record_get(KEYS[i])
        if r and r.state == 'r' and is_held_by(r, worker) then
            give_back(r, KEYS[i], id, i - FIRST_JOB)
            told[#told + 1] = id
            moved = moved + 1
        elseif is_damaged or r and r.state == 'q' then -- start sets a damaged one aside
            redis.call('RPUSH', list, id)
            moved = moved + 1
        end
    end
end
if redis.call('LLEN', KEYS[7]) == 0 then
    redis.call('HDEL', KEYS[9], worker)
    if redis.call('ZREM', KEYS[1], worker) > 0 then
        redis.call('ZADD', KEYS[2], now, worker)
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', tonumber(now) - REMEMBERED_MS))
else
    redis.call('ZADD', KEYS[1], 'XX', 0, worker)
end
tell(told)
return moved
