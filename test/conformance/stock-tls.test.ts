import { conformance } from './suite.ts';

conformance({ dataPath: 'stock', security: 'tls', over: 'tcp' });
