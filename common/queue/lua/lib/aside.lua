-- A job that cannot run (any more) is set aside in dead with the reason.
local function set_aside(key, id, r, error, now, dead, stats)
    r.state = 'd'
    r.status = '{"finished_at":' .. now .. ',"error":{"code":"' .. error.code .. '","message":"' .. error.message .. '"}}'
    redis.call('SET', key, record_text(r))
    redis.call('ZADD', dead, now, id)
    redis.call('HINCRBY', stats, 'dead', 1)
    note_end(id, r, now)
end

-- What takes the place of a record that cannot be read; its bytes become the payload.
local function damaged_record(bytes)
    return {version = '1', state = 'd', attempt = 0, excused = 0, crashes = 0, lost = 0, spec = '{"type":"unknown"}', payload = bytes}
end

local function set_damaged_aside(key, id, now, dead, stats)
    local text = redis.pcall('GET', key)
    local error = {code = 'bad_record', message = 'its record in redis was damaged; the bytes are kept as the payload'}
    set_aside(key, id, damaged_record(type(text) == 'string' and text or ''), error, now, dead, stats)
end
