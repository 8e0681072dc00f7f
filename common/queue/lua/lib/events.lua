-- Tells whoever waits for these jobs that they have changed: their ids in one message, with blanks between them. Nobody need
-- listen, and a user of Redis without the right to publish must not stop a job half-way.
local function tell(ids)
    if #ids > 0 then
        redis.pcall('PUBLISH', string.sub(KEYS[1], 1, string.find(KEYS[1], '}', 1, true)) .. ':events', table.concat(ids, ' '))
    end
end
