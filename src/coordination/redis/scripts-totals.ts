import { PRELUDE } from './prelude.ts';
import { Script } from './script.ts';

/** ARGV: (key, window, when it may be forgotten, bytes)s. A relay's own count never falls, so the total needs no sum over fields. */
export const REPORT = new Script(`${PRELUDE}
local field = id .. '#' .. epoch
local totals = {'ok'}
for i = 3, #ARGV, 4 do
  local used, bytes = key('used:' .. ARGV[i + 1] .. ':' .. ARGV[i]), tonumber(ARGV[i + 3])
  local before = call('HGET', used, field)
  local more = bytes - (before or 0)
  if more > 0 then
    call('HSET', used, field, ARGV[i + 3])
    call('HINCRBY', used, 'total', string.format('%.0f', more))
  end
  totals[#totals + 1] = tonumber(call('HGET', used, 'total') or 0)
  if not before then call('PEXPIREAT', used, ARGV[i + 2]) end
end
return totals
`);

/** ARGV: authority, sequence, list. */
export const TELL = new Script(`${PRELUDE}
local known = tonumber(call('HGET', key('sequences'), ARGV[3]) or -1)
if tonumber(ARGV[4]) <= known then return {'ok'} end
call('HSET', key('sequences'), ARGV[3], ARGV[4])
call('HSET', key('lists'), ARGV[3], ARGV[5])
call('PUBLISH', key('news'), 'list ' .. ARGV[3] .. ' ' .. ARGV[4])
return {'ok'}
`);

/** ARGV: authority. */
export const LIST = new Script(`${PRELUDE}
return {'ok', call('HGET', key('sequences'), ARGV[3]), call('HGET', key('lists'), ARGV[3])}
`);
