-- Adds jobs. ARGV from 2 on, for each job: id, name, data, opts, due (ms; "" or "0" = now), priority, lifo,
-- extra. Replies for each job "" if it was added, else the state of the job that has the ID.
local meta = call('HMGET', META, 'paused', 'opts.maxLenEvents', 'version', 'concurrency')
local n = (#ARGV - 1) / 8
call('INCRBY', base .. 'id', n)
local keys = {}
for i = 1, n do keys[i] = base .. ARGV[8 * i - 6] end
local known = call('EXISTS', unpack(keys)) > 0
local list = waitList(meta[1], meta[3])
local stamp = int(now)
local reply, seen, push, ready, delayed = {}, {}, {}, false, false
for i = 1, n do
  local a = 8 * i - 6
  local id, key = ARGV[a], keys[i]
  local state = ''
  if seen[id] or known then
    if call('EXISTS', key) == 1 then
      if seen[id] then state = seen[id] else state = stateOf(id) end
      event('duplicated', 'jobId', id)
    end
  end
  reply[i] = state
  if state == '' then
    local due, priority = tonumber(ARGV[a + 4]) or 0, tonumber(ARGV[a + 5])
    local delay = math.max(0, due - now)
    local f = {'name', ARGV[a + 1], 'data', ARGV[a + 2], 'opts', ARGV[a + 3], 'timestamp', stamp, 'delay', int(delay),
      'priority', ARGV[a + 5]}
    if ARGV[a + 7] ~= '' then f[13], f[14] = 'nx', ARGV[a + 7] end
    call('HSET', key, unpack(f))
    event('added', 'jobId', id, 'name', ARGV[a + 1])
    if delay > 0 then
      addDelayed(id, due)
      event('delayed', 'jobId', id, 'delay', int(due))
      delayed = true
      seen[id] = 'delayed'
    else
      if priority ~= 0 then
        addPrioritized(id, priority)
        seen[id] = 'prioritized'
      else
        if ARGV[a + 6] == '1' then call('RPUSH', list, id) else push[#push + 1] = id end
        seen[id] = 'waiting'
      end
      event('waiting', 'jobId', id)
      ready = true
    end
  end
end
if #push > 0 then call('LPUSH', list, unpack(push)) end
if ready and not meta[1] and not isMaxed(meta[4]) then markReady() end
if delayed then markDelayed() end
trimEvents(meta[2])
return reply
