-- Tells a shard the number of indexes of a collection, ARGV[2], that every writer has to know. It returns how many documents
-- the shard has of it, counted after that.
local field = 'c' .. ARGV[1]
if tonumber(redis.call('HGET', KEYS[1], field) or '0') < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], field, ARGV[2]) end
return redis.call('ZCARD', string.sub(KEYS[1], 1, -2) .. 'z:' .. ARGV[1])
