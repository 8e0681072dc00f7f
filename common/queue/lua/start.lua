#!lua flags=allow-oom
-- Marks taken jobs as running. KEYS: taken, stats, workers, dead, job…. ARGV: worker, id….
-- Returns for each the record as it is now; when it is not to be run the letter of its state (it was cancelled, or is set
-- aside now: expired or damaged), or false when there is no record. Such an id leaves the worker's list. A worker that was
-- reaped gets false for all, and any worker for what is not in its list (any more): such ids have gone back already, and
-- their records may be anybody's.
--@include record
--@include ended
--@include aside
--@include events
local worker = ARGV[1]
local started = {}
if tonumber(redis.call('ZSCORE', KEYS[3], worker) or 0) == 0 then
    for i = 5, #KEYS do
        started[i - 4] = false
    end
    return started
end
local now = now_ms()
local status = status_prefix(worker) .. '"started_at":' .. now .. '}'
local count = 0
local told = {}

local function start(key, id)
    if not redis.call('LPOS', KEYS[1], id) then
        return false
    end
    local r, is_damaged = record_get(key)
    local expires = r and r.state == 'q' and r.attempt == 0 and string.match(r.spec, '"expires_at":(%d+)')
    local state = is_damaged and 'd' or r and r.state
    if is_damaged then
        set_damaged_aside(key, id, now, KEYS[4], KEYS[2])
        told[#told + 1] = id
    elseif expires and tonumber(expires) <= tonumber(now) then
        state = 'd'
        set_aside(key, id, r, {code = 'expired', message = 'it was not started before expires_at'}, now, KEYS[4], KEYS[2])
        told[#told + 1] = id
    elseif state == 'q' and r.attempt == 65535 then
        state = 'd'
        set_aside(key, id, r, {code = 'attempts', message = 'it was started 65535 times, as often as a record can count'}, now,
            KEYS[4], KEYS[2])
        told[#told + 1] = id
    elseif state == 'q' then
        r.state = 'r'
        r.attempt = r.attempt + 1
        r.status = status
        local text = record_text(r)
        redis.call('SET', key, text)
        count = count + 1
        told[#told + 1] = id
        return text
    elseif state == 'r' and is_held_by(r, worker) then -- a start of a broken connection came before this one
        return record_text(r)
    end
    redis.call('LREM', KEYS[1], -1, id)
    return state or false
end

for i = 5, #KEYS do
    started[i - 4] = start(KEYS[i], ARGV[i - 3])
end
if count > 0 then
    redis.call('HINCRBY', KEYS[2], 'started', count)
end
tell(told)
return started
