import { BEAT_EVERY_MS, LEASE_MS } from '../backend.ts';
import { MAX_RECORD_BYTES } from '../record.ts';
import { MAX_RELAYS } from '../relay-memory.ts';

/** Nobody has beaten for so long: the store slept, or its clock was stepped. Leases do not run then. */
const SLEPT_MS = 2 * BEAT_EVERY_MS;

/** Longer than any number that is written here, and than any peer id, or authority. What is longer was not written by a relay. */
const MAX_NUMBER_CHARS = 32;
const MAX_NAME_CHARS = 1_024;

/** As long as an authority makes them. */
const MAX_LIST_BYTES = 1024 * 1024;

/** Authorities that nobody has asked for, in one answer: those that somebody made up are found over some beats, and keep no beat from the others. */
const PAGE = 64;

/**
 * Time is Redis's own; `awake` makes the leases independent of jumps of its clock: they count time only while relays can beat. `stranger` refuses, beside
 * runs that are over, what was on its way when its connection was given up and arrives after all has been told anew over the next one. That a run is over, the script only asks: `newer` is
 * what anybody may have written, so the record goes with the answer, and what its relay has not signed comes back as `disproved`.
 *
 * Nothing that stands in the store need be of a relay: `number` takes for 0 what is none, no lease counts that ends later than a relay can have asked for
 * (`horizon`; `awake` keeps them below when the clock is stepped), and what has another type than it should have is taken out, and all of it told anew: a relay whose places were in it is waited for (`unsureOf`).
 */
export const PRELUDE = `
local base, id = KEYS[1], ARGV[1]
local epoch, session, disproved = string.match(ARGV[2], '^(%d+)%.(%d+)%.(.*)$')
local function key(name) return base .. ':' .. name end
local leases = key('leases')
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local horizon = now + ${LEASE_MS}
local function unsureOf(name)
  local holds = key('holds:')
  if string.sub(name, 1, #holds) == holds then redis.pcall('ZADD', key('unsure'), horizon, string.sub(name, #holds + 1)) end
end
local function call(command, name, ...)
  local answer = redis.pcall(command, name, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if string.find(answer.err, 'WRONGTYPE', 1, true) then
    redis.call('UNLINK', name)
    redis.pcall('HDEL', key('meta'), 'born')
    unsureOf(name)
  end
  return redis.call(command, name, ...)
end
local function number(value, otherwise)
  local is = (type(value) == 'number' or type(value) == 'string' and #value <= ${MAX_NUMBER_CHARS}) and tonumber(value)
  if is and is > -2^53 and is < 2^53 then return is end
  return otherwise or 0
end
local function whole(value) return string.format('%.0f', value) end
local function add(hash, field, change)
  local total = number(call('HGET', hash, field)) + change
  call('HSET', hash, field, whole(total))
  return total
end
local function awake()
  local gap = now - number(call('HGET', key('meta'), 'at'), now)
  if gap >= 0 and gap <= ${SLEPT_MS} then return end
  local shift = gap < 0 and gap or gap - ${BEAT_EVERY_MS}
  for _, set in ipairs({{key('leases'), horizon}, {key('unsure'), horizon}, {key('left'), now}}) do
    local entries = call('ZRANGE', set[1], 0, -1, 'WITHSCORES')
    for i = 1, #entries, 2 do call('ZADD', set[1], whole(math.min(number(entries[i + 1]) + shift, set[2])), entries[i]) end
  end
  call('HSET', key('meta'), 'at', now)
end
local function within(set, from, to)
  local names = {}
  for _, name in ipairs(call('ZRANGEBYSCORE', set, from, to, 'LIMIT', 0, ${MAX_RELAYS})) do
    if #name <= ${MAX_NAME_CHARS} then names[#names + 1] = name end
  end
  return names
end
local function live() return within(leases, '(' .. now, horizon) end
local function alive(relay)
  local ends = number(call('ZSCORE', leases, relay))
  return ends > now and ends <= horizon
end
local function newer(stored) return stored and stored ~= disproved and number(stored) > tonumber(epoch) end
local function fenced(stored)
  local record = call('HGET', key('records'), id)
  return {'fenced', stored, record and #record <= ${MAX_RECORD_BYTES} and record or ''}
end
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
local function claim(claimed) return #claimed <= ${MAX_NUMBER_CHARS} and claimed or 'none' end
local function stored(authority)
  local list = call('HGET', key('lists'), authority) or ''
  return claim(call('HGET', key('sequences'), authority) or ''), #list <= ${MAX_LIST_BYTES} and list or ''
end
local function is(claimed, list, wrong, digest) return claimed == wrong and redis.sha1hex(list) == digest end
local function newest(authorities, cursor)
  local flat = {}
  local function tell(authority, claimed)
    if not claimed or #authority > ${MAX_NAME_CHARS} then return end
    flat[#flat + 1] = authority
    flat[#flat + 1] = claim(claimed)
  end
  for _, authority in ipairs(authorities) do tell(authority, call('HGET', key('sequences'), authority)) end
  local page = call('HSCAN', key('sequences'), cursor, 'COUNT', ${PAGE})
  for i = 1, #page[2], 2 do tell(page[2][i], page[2][i + 1]) end
  return flat, page[1]
end
`;
