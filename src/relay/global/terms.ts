import type { CoordinationConfig } from '../../config/domain.ts';

/** The limits that all relays of the cluster count together: for anyone, and for members. */
export type ClusterTerms = Pick<CoordinationConfig, 'limits' | 'memberLimits'>;
