-- Notes progress and log lines of a running job. ARGV: 2 id, 3 token, 4 progress ("" = none), 5 how many lines are kept,
-- then lines. Replies 1, or 0 if the token is not the current one.
local id = ARGV[2]
local key = base .. id
if call('GET', key .. ':lock') ~= ARGV[3] or call('EXISTS', key) == 0 then return 0 end
if ARGV[4] ~= '' then
  call('HSET', key, 'progress', ARGV[4])
  event('progress', 'jobId', id, 'data', ARGV[4])
end
if #ARGV > 5 then
  for from = 6, #ARGV, 1000 do call('RPUSH', key .. ':logs', unpack(ARGV, from, math.min(from + 999, #ARGV))) end
  call('LTRIM', key .. ':logs', -tonumber(ARGV[5]), -1)
end
return 1
