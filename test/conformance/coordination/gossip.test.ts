import { gossipRig } from '../../support/coordination/gossip-rig.ts';
import { coordinationSuite } from './suite.ts';

coordinationSuite('gossip', gossipRig, false);
