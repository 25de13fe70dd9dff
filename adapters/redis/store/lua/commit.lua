-- Applies a batch, all of it or nothing.
local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
local function count() return tonumber(arg()) end

local partition, expiry = arg(), arg()
local key = prefix .. 'p:' .. partition
local now = clock()

-- Whoever does not know of an index that has been declared meanwhile must not write past it.
local colls, known, fields = {}, {}, { 'n' }
for i = 1, count() do
  colls[i], known[i] = arg(), count()
  fields[i + 1] = 'c' .. colls[i]
end
local shard = call('HMGET', KEYS[1], unpack(fields))
for i = 1, #colls do
  local have = tonumber(shard[i + 1] or '0')
  if have > known[i] then return { 'S' } end
  if have < known[i] then call('HSET', KEYS[1], 'c' .. colls[i], known[i]) end
end

-- What has expired is gone before anything is looked at.
local times = call('HGET', key, '@')
if times then
  local docs, logs = pair(times)
  if past(docs, now) then
    empty(partition, math.huge)
  elseif past(logs, now) then
    trimall(partition, docs, math.huge)
  end
end

-- The documents of the batch as they are.
local docs = {}
local function doc(name)
  local d = docs[name]
  if not d then
    local got = call('HMGET', key, 'v' .. name, 'i' .. name)
    d = { there = got[1], packed = got[2] or '', expires = 0, version = '0' }
    if got[1] then
      local version, expires = string.match(got[1], '^(%d+),(%d+)$')
      d.expires = tonumber(expires)
      if not past(d.expires, now) then d.version = version end
    end
    docs[name] = d
  end
  return d
end

-- Every expectation, before the first change.
local conflict, expected = {}, 0
local function expect(name, version)
  expected = expected + 1
  local d = doc(name)
  if version ~= '-1' and version ~= d.version then
    local n = #conflict
    conflict[n + 1], conflict[n + 2] = text(expected), d.version
    conflict[n + 3], conflict[n + 4] = text(d.expires), d.version ~= '0' and call('HGET', key, 'b' .. name) or ''
  end
end
for _ = 1, count() do
  local name = arg()
  expect(name, arg())
end
local puts, deletes = {}, {}
for i = 1, count() do
  local p = { coll = arg(), rest = arg() }
  p.name = p.coll .. ':' .. p.rest
  expect(p.name, arg())
  p.expires, p.body, p.packed = arg(), arg(), arg()
  puts[i] = p
end
for i = 1, count() do
  deletes[i] = arg()
  expect(deletes[i], arg())
end
if #conflict > 0 then return { 'C', conflict } end

-- Versions grow by more than one, with the clock: so that a failover to a replica that lags uses none again.
local version = math.max(tonumber(shard[1] or '0') + 1, now)
local done = { 'K', text(now), text(version) }
for i = 1, #puts do
  local p = puts[i]
  local d, id = doc(p.name), partition .. p.rest
  call('HSET', key, 'v' .. p.name, text(version) .. ',' .. p.expires, 'b' .. p.name, p.body)
  version = version + 1
  if not d.there then call('ZADD', prefix .. 'z:' .. p.coll, 0, id) end
  if d.packed ~= p.packed then
    reindex(id, p.coll, d.packed, p.packed)
    if p.packed == '' then
      call('HDEL', key, 'i' .. p.name)
    else
      call('HSET', key, 'i' .. p.name, p.packed)
    end
  end
  local expires = tonumber(p.expires)
  if expires > 0 then
    call('ZADD', due, p.expires, 'd' .. p.coll .. ':' .. id)
  elseif d.expires > 0 then
    call('ZREM', due, 'd' .. p.coll .. ':' .. id)
  end
  d.there, d.packed, d.expires = true, p.packed, expires
end
if #puts > 0 then call('HSET', KEYS[1], 'n', text(version - 1)) end
for i = 1, #deletes do
  local d = doc(deletes[i])
  if d.there then
    remove(partition, deletes[i], d.packed)
    d.there, d.packed, d.expires = false, '', 0
  end
end

for _ = 1, count() do
  local rest, n = arg(), count()
  local meta = call('HGET', key, 'l' .. rest)
  local last, first = 0, 1
  if meta then last, first = pair(meta) end
  done[#done + 1] = text(last + 1)
  local list, stamp = prefix .. 'l:' .. partition .. rest, text(now) .. ','
  while n > 0 do
    local chunk = {}
    for i = 1, math.min(n, 1000) do
      last = last + 1
      chunk[i] = stamp .. text(last) .. ';' .. arg()
    end
    n = n - #chunk
    call('RPUSH', list, unpack(chunk))
    meta = nil
  end
  if not meta then call('HSET', key, 'l' .. rest, text(last) .. ',' .. text(first)) end
end
for _ = 1, count() do
  local rest = arg()
  local meta = call('HGET', key, 'l' .. rest)
  if meta then
    local last = pair(meta)
    call('UNLINK', prefix .. 'l:' .. partition .. rest)
    call('HSET', key, 'l' .. rest, text(last) .. ',' .. text(last + 1) .. ',dropped')
  end
end
if expiry ~= '' then expire(partition, pair(expiry)) end
return done
