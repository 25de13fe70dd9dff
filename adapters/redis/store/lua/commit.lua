-- Applies a batch, all of it or nothing. Every call costs a microsecond, so there are few: the partition is read with one and
-- written with one.
local at = 3
local function arg()
  at = at + 1
  return ARGV[at]
end
local function count() return tonumber(arg()) end

local partition, expiry, cluster = ARGV[1], ARGV[2], ARGV[3] == '1'
local key = prefix .. 'p:' .. partition
local now = clock()

-- A Cluster that moves a slot takes keys that are elsewhere for absent ones, or refuses them in the middle of a script. Asked for
-- several at once it says so. That ends the script before it has read or written anything.
if cluster then call('EXISTS', KEYS[1], key) end

-- Whoever does not know of an index that has been declared meanwhile must not write past it.
local colls, known, shardFields = {}, {}, { 'n' }
for i = 1, count() do
  colls[i], known[i] = arg(), count()
  shardFields[i + 1] = 'c' .. colls[i]
end
local shard = call('HMGET', KEYS[1], unpack(shardFields))
for i = 1, #colls do
  local have = tonumber(shard[i + 1] or '0')
  if have > known[i] then return { 'S' } end
  if have < known[i] then call('HSET', KEYS[1], 'c' .. colls[i], known[i]) end
end

-- The batch, and what has to be known of the partition.
local fields, values = { '@' }, {}
local function know(field)
  if values[field] == nil then
    values[field] = false
    fields[#fields + 1] = field
  end
end
local expected, versions = {}, {}
local function expect(name, version)
  local n = #expected + 1
  expected[n], versions[n] = name, version
  know('v' .. name)
  know('i' .. name)
end
for _ = 1, count() do
  local name = arg()
  expect(name, arg())
end
local puts, deletes, appends, drops = {}, {}, {}, {}
for i = 1, count() do
  local coll, rest = arg(), arg()
  local name = coll .. ':' .. rest
  expect(name, arg())
  puts[i] = { coll, partition .. rest, name, arg(), arg(), arg() }
end
for i = 1, count() do
  deletes[i] = arg()
  expect(deletes[i], arg())
end
for i = 1, count() do
  local rest, n = arg(), count()
  know('l' .. rest)
  appends[i] = { rest, n, at }
  at = at + n
end
for i = 1, count() do
  drops[i] = arg()
  know('l' .. drops[i])
end

local function read()
  for from = 1, #fields, 2000 do
    local to = math.min(from + 1999, #fields)
    local got = call('HMGET', key, unpack(fields, from, to))
    for i = from, to do values[fields[i]] = got[i - from + 1] end
  end
end
read()
-- What has expired is gone before anything is looked at.
if values['@'] then
  local docs, logs = pair(values['@'])
  if past(docs, now) then
    empty(partition, math.huge)
    read()
  elseif past(logs, now) then
    trimall(partition, docs, math.huge)
    read()
  end
end

-- The documents of the batch as they are: the version, and when they expire.
local versionOf, expiresOf = {}, {}
local conflict = {}
for i = 1, #expected do
  local name = expected[i]
  local version = versionOf[name]
  if not version then
    version, expiresOf[name] = '0', 0
    if values['v' .. name] then
      local v, expires = string.match(values['v' .. name], '^(%d+),(%d+)$')
      expires = tonumber(expires)
      expiresOf[name] = expires
      if not past(expires, now) then version = v end
    end
    versionOf[name] = version
  end
  local want = versions[i]
  if want ~= version and want ~= '-1' then
    local n = #conflict
    conflict[n + 1], conflict[n + 2], conflict[n + 3] = text(i), version, text(expiresOf[name])
    conflict[n + 4] = version ~= '0' and call('HGET', key, 'b' .. name) or ''
  end
end
if #conflict > 0 then return { 'C', conflict } end

-- Likewise every key that may be written.
if cluster then
  local keys = { key, due }
  local function touch(name, coll, packed)
    keys[#keys + 1] = prefix .. 'z:' .. coll
    for _, list in ipairs({ places(values['i' .. name]), places(packed) }) do
      for i = 1, #list, 2 do keys[#keys + 1] = prefix .. 'z:' .. coll .. ':' .. list[i] end
    end
  end
  for i = 1, #puts do touch(puts[i][3], puts[i][1], puts[i][6]) end
  for i = 1, #deletes do touch(deletes[i], string.match(deletes[i], '^[^:]*')) end
  for i = 1, #appends do keys[#keys + 1] = prefix .. 'l:' .. partition .. appends[i][1] end
  for i = 1, #drops do keys[#keys + 1] = prefix .. 'l:' .. partition .. drops[i] end
  for from = 1, #keys, 1000 do call('EXISTS', unpack(keys, from, math.min(from + 999, #keys))) end
end

-- From here on nothing fails.
local set, n = {}, 0
local function flush()
  if n > 0 then call('HSET', key, unpack(set, 1, n)) end
  n = 0
end
local function write(field, value)
  set[n + 1], set[n + 2] = field, value
  n = n + 2
  if n >= 2000 then flush() end
end

-- Versions grow by more than one, with the clock: so that a failover to a replica that lags uses none again.
local version = math.max(tonumber(shard[1] or '0') + 1, now)
local done = { 'K', text(now), text(version) }
for i = 1, #puts do
  local coll, id, name, expires, body, packed = unpack(puts[i])
  local head, old = text(version) .. ',' .. expires, values['i' .. name] or ''
  version = version + 1
  write('v' .. name, head)
  write('b' .. name, body)
  if not values['v' .. name] then call('ZADD', prefix .. 'z:' .. coll, 0, id) end
  if old ~= packed then
    reindex(id, coll, old, packed)
    if packed ~= '' then
      write('i' .. name, packed)
    else
      flush()
      call('HDEL', key, 'i' .. name)
    end
  end
  if expires ~= '0' then
    call('ZADD', due, expires, 'd' .. coll .. ':' .. id)
  elseif expiresOf[name] > 0 then
    call('ZREM', due, 'd' .. coll .. ':' .. id)
  end
  values['v' .. name], values['i' .. name], expiresOf[name] = head, packed, tonumber(expires)
end
if #puts > 0 then call('HSET', KEYS[1], 'n', text(version - 1)) end
if #deletes > 0 then flush() end
for i = 1, #deletes do
  local name = deletes[i]
  if values['v' .. name] then
    remove(partition, name, values['i' .. name])
    values['v' .. name], values['i' .. name], expiresOf[name] = false, false, 0
  end
end

for i = 1, #appends do
  local rest, left, from = unpack(appends[i])
  local last, first = 0, 1
  local meta = values['l' .. rest]
  if meta then last, first = pair(meta) end
  done[#done + 1] = text(last + 1)
  local list, stamp = prefix .. 'l:' .. partition .. rest, done[2] .. ','
  while left > 0 do
    local chunk = {}
    for k = 1, math.min(left, 1000) do
      last = last + 1
      chunk[k] = stamp .. last .. ';' .. ARGV[from + k] -- exact up to 10^14
    end
    from, left = from + #chunk, left - #chunk
    call('RPUSH', list, unpack(chunk))
    meta = false
  end
  if not meta then
    meta = text(last) .. ',' .. text(first)
    values['l' .. rest] = meta
    write('l' .. rest, meta)
  end
end
for i = 1, #drops do
  local meta = values['l' .. drops[i]]
  if meta then
    local last = pair(meta)
    call('UNLINK', prefix .. 'l:' .. partition .. drops[i])
    write('l' .. drops[i], text(last) .. ',' .. text(last + 1) .. ',dropped')
  end
end
flush()
if expiry ~= '' then expire(partition, pair(expiry)) end
return done
