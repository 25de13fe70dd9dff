-- Counts another delivery of an entry that a member still has. ARGV: group, member, ID. Returns the number of this delivery, or
-- 0 if the entry is not the member's any more.
local p = call('XPENDING', stream, ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #p == 0 then return 0 end
call('XCLAIM', stream, ARGV[1], ARGV[2], 0, ARGV[3])
return p[1][4] + 1
