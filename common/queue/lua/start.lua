#!lua flags=allow-oom
-- Marks taken jobs as running. KEYS: taken, stats, workers, dead, job…. ARGV: worker, id….
-- Returns for each the record as it is now; when it is not to be run the letter of its state (it was cancelled, or is set
-- aside now: expired or damaged), or false when there is no record. Such an id leaves the worker's list. A worker that was
-- reaped gets false for all: its ids have gone back already, and their records may be anybody's.
--@include record
local worker = ARGV[1]
local started = {}
if not redis.call('ZSCORE', KEYS[3], worker) then
    for i = 5, #KEYS do
        started[i - 4] = false
    end
    return started
end
local now = now_ms()
local status = status_prefix(worker) .. '"started_at":' .. now .. '}'
local count = 0

-- What cannot run (any more) is set aside with the reason.
local function set_aside(key, id, r, code, message)
    r.state = 'd'
    r.status = '{"finished_at":' .. now .. ',"error":{"code":"' .. code .. '","message":"' .. message .. '"}}'
    redis.call('SET', key, record_text(r))
    redis.call('ZADD', KEYS[4], now, id)
    redis.call('HINCRBY', KEYS[2], 'dead', 1)
end

local function start(key, id)
    local text = redis.pcall('GET', key)
    local r = type(text) == 'string' and record_open(text)
    local expires = r and r.state == 'q' and string.match(r.spec, '"expires_at":(%d+)')
    if text and not r then
        r = {version = '1', state = 'd', attempt = 0, crashes = 0, lost = 0, spec = '{"type":"unknown"}', payload = ''}
        if type(text) == 'string' then
            r.payload = text
        end
        redis.call('DEL', key)
        set_aside(key, id, r, 'bad_record', 'its record in redis was damaged; the bytes are kept as the payload')
    elseif expires and tonumber(expires) <= tonumber(now) then
        set_aside(key, id, r, 'expired', 'it was not started before expires_at')
    elseif r and r.state == 'q' and r.attempt < 65535 then
        r.state = 'r'
        r.attempt = r.attempt + 1
        r.status = status
        text = record_text(r)
        redis.call('SET', key, text)
        count = count + 1
        return text
    end
    redis.call('LREM', KEYS[1], -1, id)
    return r and r.state or false
end

for i = 5, #KEYS do
    started[i - 4] = start(KEYS[i], ARGV[i - 3])
end
if count > 0 then
    redis.call('HINCRBY', KEYS[2], 'started', count)
end
return started
