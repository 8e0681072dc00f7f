#!lua flags=allow-oom
-- Ends tries of jobs. KEYS: taken, stats, dead, scheduled, job…. ARGV: worker, then eight for each
-- job: id, attempt, how the try ended, the rest of the status (JSON members, each behind a comma), the result that is kept
-- inline, how many tries of that kind the job may have, how long until the next one in ms, for
-- how many seconds the record is kept when the job succeeds.
-- A try ends as '+' (it succeeded), 'd' (it failed for good), 'f' (it failed), 'x' (the handler crashed), 'p' (it could not be
-- run there, and is excused) or 'b' (the worker could not read the record).
-- Returns for each 1 = succeeded, 2 = dead, 3 = another try is due, 4 = it had been settled by this very attempt,
-- 5 = it was cancelled under this attempt, 0 = stale: it is not this worker's any more.
--@include record
--@include ended
--@include aside
--@include events
local now = now_ms()
local worker = ARGV[1]
local STALE, SUCCEEDED, DEAD, RETRY, REPEATED, CANCELLED = 0, 1, 2, 3, 4, 5

-- Tries that failed by themselves: crashes, lost workers and what is excused do not count.
local function failures(r)
    return r.attempt - r.excused - r.crashes - r.lost
end

local function decide(r, ending, limit)
    if ending == '+' then
        return SUCCEEDED
    end
    if ending == 'p' and r.excused < 65535 then
        r.excused = r.excused + 1
        return RETRY
    end
    if ending == 'x' and r.crashes < 255 then
        r.crashes = r.crashes + 1
        return r.crashes < limit and RETRY or DEAD
    end
    return ending == 'f' and failures(r) < limit and RETRY or DEAD
end

local function settle(r, key, at)
    local id, ending, members = ARGV[at], ARGV[at + 2], ARGV[at + 3]
    local started = string.match(r.status, '"started_at":(%d+)') or 0
    local verdict = decide(r, ending, tonumber(ARGV[at + 5]))
    if ending == 'b' then
        local aside = damaged_record(record_text(r))
        r.spec, r.payload = aside.spec, aside.payload
    end
    r.status = status_prefix(worker) .. '"started_at":' .. started
    if verdict == RETRY then
        local due = string.format('%.0f', tonumber(now) + tonumber(ARGV[at + 6]))
        r.state = 's'
        r.status = r.status .. ',"due_at":' .. due .. members .. '}'
        redis.call('SET', key, record_text(r))
        redis.call('ZADD', KEYS[4], due, id)
        redis.call('HINCRBY', KEYS[2], 'retried', 1)
        return verdict
    end
    r.status = r.status .. ',"finished_at":' .. now .. members .. '}'
    if verdict == SUCCEEDED then
        r.state = '+'
        r.payload = ARGV[at + 4]
        redis.call('SET', key, record_text(r), 'EX', ARGV[at + 7])
        redis.call('HINCRBY', KEYS[2], 'succeeded', 1)
    else
        r.state = 'd'
        redis.call('SET', key, record_text(r))
        redis.call('ZADD', KEYS[3], now, id)
        redis.call('HINCRBY', KEYS[2], 'dead', 1)
    end
    note_end(id, r, now)
    return verdict
end

local verdicts = {}
local told = {}
for i = 5, #KEYS do
    local at = (i - 5) * 8 + 2
    local r, is_damaged = record_get(KEYS[i])
    local verdict = STALE
    if is_damaged then
        set_damaged_aside(KEYS[i], ARGV[at], now, KEYS[3], KEYS[2])
    elseif r and r.attempt == tonumber(ARGV[at + 1]) and is_held_by(r, worker) then
        verdict = r.state == 'r' and settle(r, KEYS[i], at) or r.state == 'c' and CANCELLED or REPEATED
    end
    if not r or r.state ~= 'q' and r.state ~= 'r' then -- else it came back into this list, and has to stay
        redis.call('LREM', KEYS[1], -1, ARGV[at])
    end
    if is_damaged or verdict == SUCCEEDED or verdict == DEAD or verdict == RETRY then
        told[#told + 1] = ARGV[at]
    end
    verdicts[i - 4] = verdict
end
tell(told)
return verdicts
