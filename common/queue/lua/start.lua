#!lua flags=allow-oom
-- Marks taken jobs as running. KEYS: taken, stats, workers, job…. ARGV: worker, id….
-- Returns for each the record as it is now, or false when it is not to be run: its record is gone or damaged, it is no
-- longer queued. Such an id leaves the worker's list. A worker that was reaped gets false for all: its ids have gone back
-- already, and their records may be anybody's.
--@include record
local worker = ARGV[1]
local started = {}
if not redis.call('ZSCORE', KEYS[3], worker) then
    for i = 4, #KEYS do
        started[i - 3] = false
    end
    return started
end
local status = status_prefix(worker) .. '"started_at":' .. now_ms() .. '}'
local count = 0
for i = 4, #KEYS do
    local id = ARGV[i - 2]
    local r = record_open(redis.call('GET', KEYS[i]))
    if r and r.state == 'q' and r.attempt < 65535 then
        r.state = 'r'
        r.attempt = r.attempt + 1
        r.status = status
        local text = record_text(r)
        redis.call('SET', KEYS[i], text)
        started[i - 3] = text
        count = count + 1
    else
        redis.call('LREM', KEYS[1], -1, id)
        started[i - 3] = false
    end
end
if count > 0 then
    redis.call('HINCRBY', KEYS[2], 'started', count)
end
return started
