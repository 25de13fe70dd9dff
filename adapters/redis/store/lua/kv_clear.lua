-- Removes up to ARGV[3] keys between ARGV[1] and ARGV[2], and returns how many of them were there.
local n, limit = 0, tonumber(ARGV[3])
while n < limit do
  local names = call('ZRANGEBYLEX', prefix .. 'keys', ARGV[1], ARGV[2], 'LIMIT', 0, math.min(limit - n, 1000))
  if #names == 0 then break end
  for _, name in ipairs(names) do
    n = n + call('UNLINK', prefix .. 'k:' .. name)
    call('ZREM', prefix .. 'keys', name)
    call('ZREM', due, 'k' .. name)
  end
end
return n
