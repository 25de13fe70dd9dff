-- Parents of jobs that have ended. A parent may be in another queue, so these functions take the base of its keys.

local function eventIn(b, ...) call('XADD', b .. 'events', '*', 'event', ...) end

-- toFront makes a job that was parked ready, in the queue of base b.
local function toFront(b, id, from)
  local meta = call('HMGET', b .. 'meta', 'paused', 'concurrency', 'version')
  local job = call('HMGET', b .. id, 'priority', 'delay')
  local delay, priority = tonumber(job[2] or 0) or 0, tonumber(job[1] or 0) or 0
  if delay > 0 then
    local at = now + delay
    local low, high = at * 4096, at * 4096 + 4095
    local last = call('ZREVRANGEBYSCORE', b .. 'delayed', int(high), int(low), 'WITHSCORES', 'LIMIT', 0, 1)
    local score = low
    if last[2] then score = math.min(tonumber(last[2]) + 1, high) end
    call('ZADD', b .. 'delayed', int(score), id)
    eventIn(b, 'delayed', 'jobId', id, 'delay', int(at))
    local head = call('ZRANGE', b .. 'delayed', 0, 0, 'WITHSCORES')
    call('ZADD', b .. 'marker', int(math.floor(tonumber(head[2]) / 4096)), '1')
    return
  end
  if priority == 0 then
    local list = b .. 'wait'
    if meta[1] and meta[3] and string.find(meta[3], '^bullmq:5%.') then list = b .. 'paused' end
    call('RPUSH', list, id)
  else
    local n = call('INCR', b .. 'pc')
    call('ZADD', b .. 'prioritized', int(priority * 4294967296 + n % 4294967296), id)
  end
  if not meta[1] and not (meta[2] and call('LLEN', b .. 'active') >= tonumber(meta[2])) then
    call('ZADD', b .. 'marker', '0', '0')
  end
  eventIn(b, 'waiting', 'jobId', id, 'prev', from)
end

-- releaseParent moves a parent out of waiting-children, if it is there.
local function releaseParent(parentBase, parentID)
  if call('ZREM', parentBase .. 'waiting-children', parentID) == 1 then
    toFront(parentBase, parentID, 'waiting-children')
  end
end

-- failParent makes a parent fail when it is taken next, and its own ancestors in turn.
local function failParent(parentBase, parentID, childKey)
  local key = parentBase .. parentID
  call('ZADD', key .. ':unsuccessful', int(now), childKey)
  local reason = 'child ' .. childKey .. ' failed'
  if call('ZREM', parentBase .. 'waiting-children', parentID) == 1 then
    call('HSET', key, 'defa', reason)
    toFront(parentBase, parentID, 'waiting-children')
  elseif call('ZREM', parentBase .. 'delayed', parentID) == 1 then
    call('HSET', key, 'defa', reason, 'delay', '0')
    toFront(parentBase, parentID, 'delayed')
  else
    call('HSET', key, 'defa', reason)
  end
end

local function splitKey(queueKey, id) return queueKey .. ':', id end

-- childCompleted reports a result to the parent.
local function childCompleted(parentKey, parentJSON, childKey, result)
  if call('EXISTS', parentKey) == 0 then return end
  local p = cjson.decode(parentJSON)
  if call('SREM', parentKey .. ':dependencies', childKey) == 0 then return end
  call('HSET', parentKey .. ':processed', childKey, result)
  if call('SCARD', parentKey .. ':dependencies') == 0 then releaseParent(splitKey(p.queueKey, p.id)) end
end

-- childFailed reports a final failure, as the child's policy wants.
local function childFailed(parentKey, parentJSON, childKey, reason)
  if call('EXISTS', parentKey) == 0 then return end
  local p = cjson.decode(parentJSON)
  local b, id = splitKey(p.queueKey, p.id)
  local deps = parentKey .. ':dependencies'
  if p.fpof then
    if call('SREM', deps, childKey) == 1 then failParent(b, id, childKey) end
  elseif p.cpof then
    if call('SREM', deps, childKey) == 1 then
      call('HSET', parentKey .. ':failed', childKey, reason)
      releaseParent(b, id)
    end
  elseif p.idof or p.rdof then
    if call('SREM', deps, childKey) == 1 then
      if p.idof then call('HSET', parentKey .. ':failed', childKey, reason) end
      if call('SCARD', deps) == 0 then releaseParent(b, id) end
    end
  end
end

-- childGone forgets a job that was removed.
local function childGone(parentKey, parentJSON, childKey)
  if call('EXISTS', parentKey) == 0 then return end
  local p = cjson.decode(parentJSON)
  local deps = parentKey .. ':dependencies'
  if call('SREM', deps, childKey) == 1 and call('SCARD', deps) == 0 then releaseParent(splitKey(p.queueKey, p.id)) end
end
