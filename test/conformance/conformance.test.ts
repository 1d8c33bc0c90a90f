import { conformance } from './suite.ts';

conformance({ dataPath: 'native', security: 'noise', over: 'tcp' });
