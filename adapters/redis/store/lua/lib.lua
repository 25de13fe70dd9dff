-- What all scripts of the store share. KEYS[1] is the shard's hash, from which every other key of the shard follows.
local prefix = string.sub(KEYS[1], 1, -2)
local due = prefix .. 'due'
local call = redis.call

-- Whole numbers up to 2^53 as text: Lua's own conversion stops at 14 digits.
local function text(n) return string.format('%.0f', n) end

-- The server's clock in microseconds.
local function clock()
  local t = call('TIME')
  return t[1] * 1000000 + t[2]
end

local function past(at, now) return at > 0 and at <= now end

-- Two numbers from 'a,b'.
local function pair(s)
  local a, b = string.match(s, '^(%d+),(%d+)')
  return tonumber(a), tonumber(b)
end

-- A document's places in indexes: list, order, list, order, ...
local function places(packed)
  if packed and packed ~= '' then return cmsgpack.unpack(packed) end
  return {}
end

-- Moves a document from its old places to its new ones.
local function reindex(id, coll, old, new)
  if old == new then return end
  local lists, keep = prefix .. 'z:' .. coll .. ':', {}
  old, new = places(old), places(new)
  if #old > 0 then
    for i = 1, #new, 2 do keep[new[i] .. '\0' .. new[i + 1]] = true end
    for i = 1, #old, 2 do
      local place = old[i] .. '\0' .. old[i + 1]
      if keep[place] then
        keep[place] = false
      else
        call('ZREM', lists .. old[i], old[i + 1] .. id)
      end
    end
  end
  for i = 1, #new, 2 do
    if #old == 0 or keep[new[i] .. '\0' .. new[i + 1]] then call('ZADD', lists .. new[i], 0, new[i + 1] .. id) end
  end
end

-- Removes a document with its places. name is collection:rest of the ID.
local function remove(partition, name, packed)
  local key = prefix .. 'p:' .. partition
  local coll, rest = string.match(name, '^([^:]*):(.*)$')
  local id = partition .. rest
  reindex(id, coll, packed, '')
  call('ZREM', prefix .. 'z:' .. coll, id)
  call('ZREM', due, 'd' .. coll .. ':' .. id)
  call('HDEL', key, 'v' .. name, 'b' .. name, 'i' .. name)
end

-- Removes the records of a log. What it knows of its numbers stays.
local function trim(partition, rest, last)
  call('UNLINK', prefix .. 'l:' .. partition .. rest)
  call('HSET', prefix .. 'p:' .. partition, 'l' .. rest, text(last) .. ',' .. text(last + 1))
end

-- Calls visit(field, value) for the fields of a hash until visit returns true. Fields may be removed meanwhile.
local function each(key, pattern, visit)
  local cursor = '0'
  repeat
    local page = call('HSCAN', key, cursor, 'MATCH', pattern, 'COUNT', 100)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      if visit(page[2][i], page[2][i + 1]) then return false end
    end
  until cursor == '0'
  return true
end

-- Removes up to limit documents and logs of a partition, and the partition with the last of them. Returns how many.
local function empty(partition, limit)
  local key, n, gone = prefix .. 'p:' .. partition, 0, {}
  local all = each(key, '[vl]*', function(field)
    if gone[field] then return false end -- a scan may repeat itself
    if n >= limit then return true end
    gone[field] = true
    n = n + 1
    local name = string.sub(field, 2)
    if string.sub(field, 1, 1) == 'v' then
      remove(partition, name, call('HGET', key, 'i' .. name))
    else
      call('UNLINK', prefix .. 'l:' .. partition .. name)
      call('HDEL', key, field)
    end
    return false
  end)
  if all then
    call('UNLINK', key)
    call('ZREM', due, 'p' .. partition)
  end
  return n
end

-- Sets when a partition expires: documents and logs, logs alone.
local function expire(partition, docs, logs)
  local key = prefix .. 'p:' .. partition
  local first = docs
  if first == 0 or (logs > 0 and logs < first) then first = logs end
  if first == 0 then
    call('HDEL', key, '@')
    call('ZREM', due, 'p' .. partition)
  else
    call('HSET', key, '@', text(docs) .. ',' .. text(logs))
    call('ZADD', due, text(first), 'p' .. partition)
  end
end

-- Removes the records of up to limit logs of a partition, whose time has come. Returns how many logs it was.
local function trimall(partition, docs, limit)
  local n = 0
  local all = each(prefix .. 'p:' .. partition, 'l*', function(field, value)
    local last, first = pair(value)
    if first > last then return false end -- holds nothing, or is done: a scan may repeat itself
    if n >= limit then return true end
    local have = call('HGET', prefix .. 'p:' .. partition, field)
    last, first = pair(have)
    if first <= last then
      trim(partition, string.sub(field, 2), last)
      n = n + 1
    end
    return false
  end)
  if all then expire(partition, docs, 0) end
  return n
end
