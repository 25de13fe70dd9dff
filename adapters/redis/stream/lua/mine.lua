-- Finds what a member was given and does not know of, because the answer was lost. ARGV: group, member, how many entries at most,
-- and the IDs of those that it knows. Returns ID, number of the delivery and fields of each.
local known = {}
for i = 4, #ARGV do known[ARGV[i]] = true end
local limit, found = tonumber(ARGV[3]), {}
for _, p in ipairs(call('XPENDING', stream, ARGV[1], '-', '+', limit + #ARGV - 3, ARGV[2])) do
  if not known[p[1]] and #found < limit then
    local entry = call('XRANGE', stream, p[1], p[1])
    if #entry == 0 then
      call('XACK', stream, ARGV[1], p[1]) -- it was trimmed
    else
      found[#found + 1] = { p[1], p[4], entry[1][2] }
    end
  end
end
return found
