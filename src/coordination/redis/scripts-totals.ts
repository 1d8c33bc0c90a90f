import { PRELUDE } from './prelude.ts';
import { Script } from './script.ts';

/** ARGV: (key, window, when it may be forgotten, bytes)s. A relay's own count never falls, so the total needs no sum over fields; one below that count is of no relay. */
export const REPORT = new Script(`${PRELUDE}
local field = id .. '#' .. epoch
local totals = {'ok'}
for i = 3, #ARGV, 4 do
  local used, bytes = key('used:' .. ARGV[i + 1] .. ':' .. ARGV[i]), tonumber(ARGV[i + 3])
  local before = call('HGET', used, field)
  local more = bytes - number(before)
  if more > 0 then
    call('HSET', used, field, ARGV[i + 3])
    add(used, 'total', more)
    if not before then call('PEXPIREAT', used, ARGV[i + 2]) end
  end
  local total = number(call('HGET', used, 'total'))
  if total < bytes then
    total = bytes
    call('HSET', used, 'total', ARGV[i + 3])
  end
  totals[#totals + 1] = total
end
return totals
`);

/** ARGV: authority, sequence, list, and what may be written over whatever it claims. Answers what is there and was left. Numbers may be anything: who can write, can claim. */
export const TELL = new Script(`${PRELUDE}
local claimed, list = stored(ARGV[3])
if tonumber(ARGV[4]) <= (tonumber(claimed) or -1) and not is(claimed, list, ARGV[6], ARGV[7]) then return {'ok', claimed, list} end
call('HSET', key('sequences'), ARGV[3], ARGV[4])
call('HSET', key('lists'), ARGV[3], ARGV[5])
call('PUBLISH', key('news'), 'list ' .. ARGV[3] .. ' ' .. ARGV[4])
return {'ok'}
`);

/** ARGV: authority, and what is to be taken out. */
export const DROP = new Script(`${PRELUDE}
local claimed, list = stored(ARGV[3])
if is(claimed, list, ARGV[4], ARGV[5]) then
  for _, name in ipairs({'sequences', 'lists'}) do call('HDEL', key(name), ARGV[3]) end
end
return {'ok'}
`);

/** ARGV: authority. */
export const LIST = new Script(`${PRELUDE}
return {'ok', stored(ARGV[3])}
`);
