import { redisRig } from '../../support/coordination/redis-rig.ts';
import { available } from '../../support/stores/redis.ts';
import { coordinationSuite } from './suite.ts';

coordinationSuite('Redis', redisRig, available() ?? false);
