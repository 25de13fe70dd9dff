-- What all scripts of the stream share. KEYS[1] is the topic's stream, from which every other key of the topic follows.
local stream = KEYS[1]
local base = string.sub(stream, 1, -2)
local members, state, wake = base .. 'm', base .. 'g', base .. 'w'
local call = redis.call

local function text(n) return string.format('%.0f', n) end

-- The server's clock in milliseconds.
local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local now = clock()

-- A flat list of names and values as a table.
local function named(list)
  local t = {}
  for i = 1, #list, 2 do t[list[i]] = list[i + 1] end
  return t
end

-- XINFO of a key that need not exist.
local function info(what, ...)
  local got = redis.pcall('XINFO', what, stream, ...)
  if got.err then return {} end
  return got
end

local function group(name)
  for _, raw in ipairs(info('GROUPS')) do
    local g = named(raw)
    if g.name == name then return g end
  end
end

local function alive(member)
  local till = call('ZSCORE', members, member)
  return till and tonumber(till) > now
end

-- Whether any member of a group is alive.
local function attended(name)
  for _, raw in ipairs(info('CONSUMERS', name)) do
    if alive(named(raw).name) then return true end
  end
  return false
end

-- The ID of the last message. XINFO STREAM knows it too, and returns the first and the last message with it.
local function lastid() return call('HGET', state, 'last') or '0-0' end

-- Forgets a group. With the last durable one the topic may vanish by itself.
local function destroy(name)
  call('XGROUP', 'DESTROY', stream, name)
  call('HDEL', state, 'e:' .. name, 'x:' .. name, 'i:' .. name)
  if #info('GROUPS') == 0 then call('HDEL', state, 'keep') end
end

local function parse(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return { tonumber(ms), tonumber(seq) }
end

local function before(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end

-- The first entry that somebody still has to get, or nil if nobody waits for anything.
local function needed(forget)
  local first
  local function need(id)
    if not first or before(id, first) then first = id end
  end
  local known = named(call('HGETALL', state))
  for _, raw in ipairs(info('GROUPS')) do
    local g = named(raw)
    local seen = tonumber(known['i:' .. g.name] or '0')
    if known['e:' .. g.name] and not attended(g.name) or seen > 0 and now - seen > forget and not attended(g.name) then
      destroy(g.name)
    elseif g.pending > 0 then
      need(parse(call('XPENDING', stream, g.name)[2]))
    else
      local last = parse(g['last-delivered-id'])
      need({ last[1], last[2] + 1 })
    end
  end
  for field, cursor in pairs(known) do
    if string.sub(field, 1, 2) == 's:' then
      local last = parse(cursor)
      need({ last[1], last[2] + 1 })
    end
  end
  return first
end

-- Removes what is beyond the retention and was got by everybody.
local function trim(maxlen, age, forget)
  local need = needed(forget)
  local old = { math.max(now - age, 0), 0 }
  if need and before(need, old) then old = need end
  call('XTRIM', stream, 'MINID', text(old[1]) .. '-' .. text(old[2]))
  local len = call('XLEN', stream)
  if len <= maxlen then return end
  if not need then
    call('XTRIM', stream, 'MAXLEN', maxlen)
    return
  end
  local from, few = text(need[1]) .. '-' .. text(need[2]), math.min(maxlen, 50)
  if #call('XRANGE', stream, from, '+', 'COUNT', few + 1) <= few then
    call('XTRIM', stream, 'MAXLEN', maxlen) -- whoever is behind is behind by less than what stays
  elseif len > 2 * maxlen then
    call('XTRIM', stream, 'MINID', from)
  end
end

-- Lets a topic vanish some time after the last message, unless a durable group has its place in it, or a subscription is there.
local function linger(age)
  if call('HEXISTS', state, 'keep') == 0 then
    age = math.max(age, call('PTTL', members))
    call('PEXPIRE', stream, age)
    call('PEXPIRE', state, age)
  end
end
