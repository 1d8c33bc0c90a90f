/** What of a checklist an operator can say that it is known and meant: warnings of `relayd doctor` by these names are ok then. */
export const ACKNOWLEDGEMENTS = [
  'independent-limits',
  'identity-backup',
  'authority-key',
  'data-dir',
  'announced-addresses',
  'reachable',
  'public-limits',
  'memory',
  'metrics-scraped',
  'alert-rules',
  'regions',
  'cluster-store',
  'cluster-redundancy',
  'cluster-limits',
] as const;

export type Acknowledgement = (typeof ACKNOWLEDGEMENTS)[number];
