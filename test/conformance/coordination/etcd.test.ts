import { etcdRig } from '../../support/coordination/etcd-rig.ts';
import { available } from '../../support/stores/etcd.ts';
import { coordinationSuite } from './suite.ts';

coordinationSuite('etcd', etcdRig, available() ?? false);
