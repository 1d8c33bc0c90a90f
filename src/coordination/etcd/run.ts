import type { BackendListener } from '../backend.ts';
import type { RegistryOptions } from '../registry-options.ts';
import { RenewedFiles } from '../renewed-files.ts';
import { EtcdClient } from './client.ts';
import { readCredentials } from './credentials.ts';
import { Gateway } from './gateway.ts';
import { Health } from './health.ts';
import type { Keys } from './keys.ts';
import { Reservations } from './reservations.ts';
import { RevocationLists } from './revocation-lists.ts';
import { Roster } from './roster.ts';
import { Session } from './session.ts';
import type { SessionOptions } from './session.ts';
import { Usages } from './usage.ts';
import { Watch } from './watch.ts';
import type { WatchOptions } from './watch.ts';

export interface EtcdOptions extends Pick<RegistryOptions, 'self' | 'epoch' | 'listener' | 'proofs' | 'clock' | 'log'> {
  readonly config: Pick<RegistryOptions['config'], 'cluster' | 'etcd'>;
}

/** All that lives from a start to a stop. */
export interface Run {
  readonly gateway: Gateway;
  readonly client: EtcdClient;
  readonly health: Health;
  readonly roster: Roster;
  readonly session: Session;
  readonly reservations: Reservations;
  readonly usages: Usages;
  readonly lists: RevocationLists;
  readonly watch: Watch;
}

export interface RunHooks extends Pick<WatchOptions, 'onAll' | 'onEvent'> {
  readonly keys: Keys;
  readonly listener: BackendListener;
  readonly onReplaced: () => void;
}

/** @throws RelaydError FILE_UNREADABLE */
export function makeRun({ config, self, epoch, proofs, clock, log }: EtcdOptions, { keys, listener, onReplaced, onAll, onEvent }: RunHooks): Run {
  const gateway = new Gateway({ urls: config.etcd.endpoints, credentials: new RenewedFiles(() => readCredentials(config.etcd), clock, log), prefix: keys.prefix, clock });
  const health = new Health(() => gateway.look(), (problem) => listener.health(problem));
  const isStoreAway = (): boolean => health.problem !== undefined;
  const client = new EtcdClient(gateway, onReplaced);
  const watch = new Watch({ range: keys.watched, gateway, client, health, clock, log, onAll, onEvent });
  const hooks: Pick<SessionOptions, 'onWritten' | 'onLost' | 'onFenced' | 'mustWrite'> = {
    onWritten: (revision) => watch.expect(revision),
    onLost: () => {
      [reservations, usages, lists].forEach((part) => part.lost());
      listener.stale();
    },
    onFenced: () => listener.fenced(),
    mustWrite: isStoreAway,
  };
  const session = new Session({ self, epoch, keys, client, proofs, clock, log, ...hooks });
  const own = { self, epoch, keys, client, session, clock };
  const reservations = new Reservations(own);
  const usages = new Usages(own);
  const lists = new RevocationLists({ keys, client, proofs, onList: (list) => listener.revocations(list) });
  const roster = new Roster({ listener, clock, isStoreAway });
  return { gateway, client, health, roster, session, reservations, usages, lists, watch };
}
