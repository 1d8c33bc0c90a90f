import { InvalidArgumentError } from 'commander';
import { parseAnnounceAddress, parseFullAddress, parseHostPort, parsePeerId } from '../../config/addresses.ts';
import type { HostPort } from '../../config/domain.ts';
import type { Parsed } from '../../config/parsed.ts';
import { MAX_BEARERS } from '../../realm/content.ts';
import { MAX_INVITATION_RELAYS } from '../../realm/invitation.ts';
import { isName, NAME_FORM } from '../../realm/names.ts';
import { LIFE_FORM, NOTE_FORM, isLife, isNote } from '../../realm/issue-options.ts';
import { durationMs, wholeNumber } from '../arguments.ts';

/** For commander: values of options that the commands of invitations and of realms share. What they refuse is wrong usage (64), before anything is done. */

/** `--max-peers`: as many as a relay counts for one token. */
export const maxPeers = wholeNumber(1, MAX_BEARERS);

/** `--relay`, for a relay of somebody's; may be repeated. */
export function relayAddress(value: string, before: readonly string[] = []): string[] {
  return [...before, taken(parseFullAddress(value))];
}

/** `--relay`, where it may be this very node: then its peer id may be left out. */
export function relayOrOwnAddress(value: string, before: readonly string[] = []): string[] {
  checked(value, before.length < MAX_INVITATION_RELAYS, `to be given at most ${MAX_INVITATION_RELAYS} times`);
  return [...before, taken(value.includes('/p2p/') ? parseFullAddress(value) : parseAnnounceAddress(value))];
}

export function peerId(value: string): string {
  return taken(parsePeerId(value));
}

export function listenOn(value: string): HostPort {
  return taken(parseHostPort(value, { zeroPort: true, names: false, example: '127.0.0.1:2222' }));
}

export function name(value: string): string {
  return checked(value, isName(value), NAME_FORM);
}

/** `--expires` of a token, in milliseconds. */
export function lifeMs(value: string): number {
  const ms = durationMs(value);
  return checked(ms, isLife(ms), LIFE_FORM);
}

/** `--note` */
export function note(value: string): string {
  return checked(value, isNote(value), NOTE_FORM);
}

function checked<T>(value: T, isRight: boolean, form: string): T {
  if (!isRight) {
    throw new InvalidArgumentError(`It needs ${form}.`);
  }
  return value;
}

/** `--tunnel NAME`, `NAME=HOST:PORT` or `NAME@PEER`. */
export interface TunnelOption {
  readonly name: string;
  /** Where the service is, for a config that is still to be written. */
  readonly to?: HostPort;
  /** Who exposes it, when it is not this node. */
  readonly peer?: string;
}

export function tunnel(text: string): TunnelOption {
  const [, service = '', mark, rest = ''] = /^([^=@]*)([=@])?(.*)$/s.exec(text) ?? [];
  const named = { name: name(service) };
  if (mark === undefined) {
    return named;
  }
  return mark === '@' ? { ...named, peer: peerId(rest) } : { ...named, to: taken(parseHostPort(rest, { zeroPort: false, names: true, example: '127.0.0.1:22' })) };
}

function taken<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) {
    throw new InvalidArgumentError(`${parsed.problem}; ${parsed.expected}.`);
  }
  return parsed.value;
}
