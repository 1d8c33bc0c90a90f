import { BEAT_EVERY_MS } from '../backend.ts';

/** Nobody has beaten for so long: the store slept, or its clock was stepped. Leases do not run then. */
const SLEPT_MS = 2 * BEAT_EVERY_MS;

/**
 * Time is Redis's own; `awake` makes the leases independent of jumps of its clock: they count time only while relays can beat. `stranger` refuses, beside
 * runs that are over, what was on its way when its connection was given up and arrives after all has been told anew over the next one. That a run is over, the script only asks: `newer` is
 * what anybody may have written, so the record goes with the answer, and what its relay has not signed comes back as `disproved`.
 */
export const PRELUDE = `
local base, id = KEYS[1], ARGV[1]
local epoch, session, disproved = string.match(ARGV[2], '^(%d+)%.(%d+)%.(.*)$')
local call = redis.call
local function key(name) return base .. ':' .. name end
local leases = key('leases')
local time = call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local function awake()
  local last = tonumber(call('HGET', key('meta'), 'at') or now)
  local gap = now - last
  if gap >= 0 and gap <= ${SLEPT_MS} then return end
  local shift = gap < 0 and gap or gap - ${BEAT_EVERY_MS}
  for _, name in ipairs({'leases', 'unsure', 'left'}) do
    for _, member in ipairs(call('ZRANGE', key(name), 0, -1)) do call('ZINCRBY', key(name), shift, member) end
  end
  call('HSET', key('meta'), 'at', now)
end
local function live() return call('ZRANGEBYSCORE', leases, '(' .. now, '+inf') end
local function newer(stored) return stored and stored ~= disproved and (tonumber(stored) or 0) > tonumber(epoch) end
local function fenced(stored) return {'fenced', stored, call('HGET', key('records'), id) or ''} end
local function stranger()
  local stored = call('HGET', key('epochs'), id)
  if stored == epoch and call('HGET', key('sessions'), id) == session then return nil end
  if newer(stored) then return fenced(stored) end
  return {'unknown'}
end
local function forget(relay)
  for _, name in ipairs({'leases', 'versions', 'unsure'}) do call('ZREM', key(name), relay) end
  for _, name in ipairs({'epochs', 'sessions', 'records', 'generations'}) do call('HDEL', key(name), relay) end
  call('UNLINK', key('holds:' .. relay))
end
local function stored(authority) return call('HGET', key('sequences'), authority) or '', call('HGET', key('lists'), authority) or '' end
local function is(claimed, list, wrong, digest) return claimed == wrong and redis.sha1hex(list) == digest end
local function newest()
  local flat = {}
  for i, value in ipairs(call('HGETALL', key('sequences'))) do flat[i] = value end
  return flat
end
`;
