/** Numbers of peers: those that stay reserved, by relay, one of them at two; the one that probes; those that come and go; those that are revoked, one a run. */
export interface Cast {
  readonly markers: readonly (readonly number[])[];
  /** Of the markers the one that is reserved at the relay that is broken, and at another. */
  readonly double: number;
  readonly prober: number;
  readonly load: { readonly first: number; readonly width: number };
  readonly victims: number;
}
