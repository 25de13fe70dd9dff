-- Gives documents their places in the indexes of a collection, unless they have been written since they were read: whoever
-- wrote them then knew of the indexes. ARGV: collection, then partition, rest of the ID, the fields v and places of each.
local coll = ARGV[1]
for i = 2, #ARGV, 4 do
  local partition, rest, seen, packed = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local key, name = prefix .. 'p:' .. partition, coll .. ':' .. rest
  local have = call('HMGET', key, 'v' .. name, 'i' .. name)
  if have[1] == seen then
    reindex(partition .. rest, coll, have[2] or '', packed)
    if packed == '' then
      call('HDEL', key, 'i' .. name)
    else
      call('HSET', key, 'i' .. name, packed)
    end
  end
end
