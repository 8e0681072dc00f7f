-- A job's record, as record.h draws it.
local HEAD = '>c1c1HHBBHH'
local HEAD_LENGTH = 12

local function record_open(text)
    if not text or #text < HEAD_LENGTH or string.byte(text) ~= 49 then
        return nil
    end
    local r, spec_length, status_length = {}, nil, nil
    r.version, r.state, r.attempt, r.excused, r.crashes, r.lost, spec_length, status_length = struct.unpack(HEAD, text)
    local spec_end = HEAD_LENGTH + spec_length
    local status_end = spec_end + status_length
    if status_end > #text or not string.find('sqr+dc', r.state, 1, true) then
        return nil
    end
    r.spec = string.sub(text, HEAD_LENGTH + 1, spec_end)
    r.status = string.sub(text, spec_end + 1, status_end)
    r.payload = string.sub(text, status_end + 1)
    return r
end

-- The record, or nil and whether something else stands there: a script must not stop half-way for one damaged job.
local function record_get(key)
    local text = redis.pcall('GET', key)
    local r = type(text) == 'string' and record_open(text) or nil
    return r, text and not r
end

local function record_text(r)
    return struct.pack(HEAD, r.version, r.state, r.attempt, r.excused, r.crashes, r.lost, #r.spec, #r.status)
        .. r.spec .. r.status .. r.payload
end

-- The status of a job that has been started begins so; nothing else does.
local function status_prefix(worker)
    return '{"worker":"' .. worker .. '",'
end

local function is_held_by(r, worker)
    local prefix = status_prefix(worker)
    return string.sub(r.status, 1, #prefix) == prefix
end

-- Redis's clock is the only one: milliseconds since 1970, as digits.
local function now_ms()
    local now = redis.call('TIME')
    return string.format('%d%03d', now[1], math.floor(now[2] / 1000))
end
