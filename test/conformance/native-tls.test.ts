import { conformance } from './suite.ts';

conformance({ dataPath: 'native', security: 'tls', over: 'tcp' });
