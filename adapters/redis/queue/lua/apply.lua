-- Does an action to jobs. ARGV: 2 action (retry, remove, promote, cancel), then IDs. Replies how many it changed.
local action = ARGV[2]
local meta = call('HMGET', META, 'paused', 'opts.maxLenEvents', 'version', 'concurrency')
local list = waitList(meta[1], meta[3])
local changed, ready = 0, false

local function wait(id, key)
  local h = call('HMGET', key, 'priority', 'opts')
  local priority = tonumber(h[1] or 0) or 0
  if priority ~= 0 then
    addPrioritized(id, priority)
  else
    local ok, opts = pcall(cjson.decode, h[2] or '{}')
    if ok and type(opts) == 'table' and opts.lifo then call('RPUSH', list, id) else call('LPUSH', list, id) end
  end
  ready = true
end

-- leave takes a job out of the structure of its state, and returns what BullMQ calls that.
local function leave(id, state)
  if state == 'active' then
    call('LREM', ACTIVE, -1, id)
    call('DEL', base .. id .. ':lock')
    call('SREM', base .. 'stalled', id)
  elseif state == 'waiting' then
    if call('LREM', WAIT, -1, id) > 0 then return 'wait' end
    call('LREM', base .. 'paused', -1, id)
    return 'paused'
  else
    call('ZREM', base .. state, id)
  end
  return state
end

for i = 3, #ARGV do
  local id = ARGV[i]
  local key = base .. id
  if call('EXISTS', key) == 1 then
    local state = stateOf(id)
    local ended = state == 'completed' or state == 'failed'
    if action == 'retry' and state == 'failed' then
      call('ZREM', base .. 'failed', id)
      call('HDEL', key, 'finishedOn', 'processedOn', 'failedReason', 'returnvalue', 'atm', 'attemptsMade', 'stc', 'defa')
      wait(id, key)
      event('waiting', 'jobId', id, 'prev', 'failed')
      changed = changed + 1
    elseif action == 'promote' and state == 'delayed' then
      call('ZREM', DELAYED, id)
      call('HSET', key, 'delay', '0')
      wait(id, key)
      event('waiting', 'jobId', id, 'prev', 'delayed')
      changed = changed + 1
    elseif (action == 'remove' and state ~= 'active') or (action == 'cancel' and not ended) then
      local h = call('HMGET', key, 'rjk', 'parentKey', 'parent', 'deid')
      local scheduled = h[1] and call('ZSCORE', base .. 'repeat', h[1])
      if not (scheduled and id == 'repeat:' .. h[1] .. ':' .. int(tonumber(scheduled)) and not ended) then
        local from = leave(id, state)
        releaseDedup(id, h[4])
        deleteJobs({id})
        event('removed', 'jobId', id, 'prev', from)
        if h[2] and h[2] ~= '' and h[3] then childGone(h[2], h[3], key) end
        changed = changed + 1
      end
    end
  end
end
if ready and not meta[1] and not isMaxed(meta[4]) then markReady() end
if action ~= 'retry' and call('EXISTS', DELAYED) == 0 then call('ZREM', MARKER, '1') end
if changed > 0 then trimEvents(meta[2]) end
return changed
