import { noNamespaces } from '../../support/netns/why-not.ts';
import type { Row } from '../support/row.ts';
import { CHURN } from './churn.ts';
import { CLOCK_STEP } from './clock-step.ts';
import { clusterRow } from './cluster.ts';
import { DISK_FULL } from './disk-full.ts';
import { DRAIN } from './drain.ts';
import { HERD } from './herd.ts';
import { IDLE_SOCKETS } from './idle-sockets.ts';
import { NO_DESCRIPTORS } from './no-descriptors.ts';
import { PAUSED_READER } from './paused-reader.ts';
import { relayLoss } from './relay-loss.ts';
import { ROLLING } from './rolling.ts';
import { SOAK } from './soak.ts';
import { STALL } from './stall.ts';

/** Every row of the suite, in the order of the table. */
export const ROWS: readonly Row[] = [relayLoss('kill'), relayLoss('freeze'), relayLoss('cut', noNamespaces), HERD, DRAIN, PAUSED_READER, IDLE_SOCKETS, NO_DESCRIPTORS, STALL, DISK_FULL, CLOCK_STEP, CHURN, SOAK, ROLLING, clusterRow('gossip'), clusterRow('redis'), clusterRow('sentinel'), clusterRow('etcd')];
