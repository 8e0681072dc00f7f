-- A paused queue takes jobs, and nobody claims them: what would go on ready goes on held.
local function waiting_list(ready, held, stats)
    return redis.call('HEXISTS', stats, 'paused') == 1 and held or ready
end
