import { conformance } from './suite.ts';

/** The library's parts in place of ours: that they fit shows that our parts keep to libp2p's interfaces. */
conformance({ dataPath: 'stock', security: 'noise', over: 'tcp' });
