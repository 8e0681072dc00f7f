#!lua flags=allow-oom
-- Ends jobs. KEYS: taken, stats, dead, job…. ARGV: worker, retention in seconds, then five for each job: id, attempt, the
-- state it ends in, the rest of its status (JSON members, each behind a comma), the result that is kept inline.
-- Returns for each 1 = settled, 2 = it had been settled by this very attempt, 0 = stale: it is not this worker's any more.
--@include record
local now = now_ms()
local worker = ARGV[1]
local retention = ARGV[2]
local verdicts = {}
for i = 4, #KEYS do
    local at = (i - 4) * 5 + 3
    local id, state = ARGV[at], ARGV[at + 2]
    local r = record_open(redis.call('GET', KEYS[i]))
    local verdict = 0
    if r and r.attempt == tonumber(ARGV[at + 1]) and is_held_by(r, worker) then
        if r.state == 'r' then
            local started = string.match(r.status, '"started_at":(%d+)')
            r.status = status_prefix(worker) .. '"started_at":' .. started .. ',"finished_at":' .. now
                .. ARGV[at + 3] .. '}'
            r.state = state
            if state == 'd' then
                redis.call('SET', KEYS[i], record_text(r))
                redis.call('ZADD', KEYS[3], now, id)
                redis.call('HINCRBY', KEYS[2], 'dead', 1)
            else
                r.payload = ARGV[at + 4]
                redis.call('SET', KEYS[i], record_text(r), 'EX', retention)
                redis.call('HINCRBY', KEYS[2], 'succeeded', 1)
            end
            verdict = 1
        else
            verdict = 2
        end
    end
    redis.call('LREM', KEYS[1], -1, id)
    verdicts[i - 3] = verdict
end
return verdicts
