-- Makes a member the one that gets the messages of an exclusive group, unless another one that is alive is it. ARGV: group,
-- member. Returns whether it is.
local holder = call('HGET', state, 'x:' .. ARGV[1])
if holder and holder ~= ARGV[2] and alive(holder) then return 0 end
call('HSET', state, 'x:' .. ARGV[1], ARGV[2])
return 1
