/** For each alert of configs/prometheus: what is measured, when it must fire, and when it must not. */
export interface AlertCase {
  readonly alert: string;
  readonly what: string;
  /** Series and their values, a minute apart, as `promtool test rules` writes them. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes after the start. */
  readonly firing: readonly number[];
  readonly quiet: readonly number[];
  /** How many fire at once. */
  readonly count?: number;
}

const RELAY = 'job="relayd", instance="relay-eu:9641", role="relay"';
const OTHER = 'job="relayd", instance="relay-us:9641", role="relay"';
const CLIENT = 'job="relayd", instance="home:9641", role="client"';
const up = (who: string): string => `up{${who}}`;
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 24 * HOUR_SECONDS;

const NO_REFUSALS = { [`libp2p_relaysvc_connection_request_response_status_total{${RELAY}, status="ok"}`]: '0x60' };
const requests = (status: string, values: string): Record<string, string> => ({ [`libp2p_relaysvc_reservation_request_response_status_total{${RELAY}, status="${status}"}`]: values });
const refusals = (limit: string, values: string): Record<string, string> => ({ [`relayd_relay_refusals_total{${RELAY}, request="reserve", limit="${limit}", class="public"}`]: values });
/** Two relays, each of which says how full the pool of their cluster is as far as it knows. */
const poolOfTwo = (values: string, by: string): Record<string, string> =>
  Object.fromEntries([RELAY, OTHER].flatMap((who) => [[`relayd_cluster_limit_used_ratio{${who}, limit="reservations.max"}`, values], [`relayd_cluster_admissions_total{${who}, by="${by}", outcome="admitted"}`, '9x30'], [`relayd_cluster_admissions_total{${who}, by="${by === 'store' ? 'share' : 'store'}", outcome="admitted"}`, '0x30']]));

export const ALERT_CASES: readonly AlertCase[] = [
  { alert: 'RelaydNoRelayUp', what: 'the only relay is down for ten minutes', series: { [up(RELAY)]: '1x5 0x10 1x10', [up(CLIENT)]: '1x30' }, quiet: [5, 6, 17, 25], firing: [7, 15] },
  { alert: 'RelaydNoRelayUp', what: 'one of two is down', series: { [up(RELAY)]: '1x5 0x10', [up(OTHER)]: '1x30' }, quiet: [5, 7, 15], firing: [] },
  { alert: 'RelaydRelayDown', what: 'one of two is down for ten minutes', series: { [up(RELAY)]: '1x5 0x10 1x10', [up(OTHER)]: '1x30', [up(CLIENT)]: '0x30' }, quiet: [5, 6, 17], firing: [7, 15] },
  { alert: 'RelaydOneRelayLeft', what: 'one of two is down', series: { [up(RELAY)]: '1x5 0x10 1x10', [up(OTHER)]: '1x30' }, quiet: [5, 6, 17], firing: [7, 15] },
  { alert: 'RelaydOneRelayLeft', what: 'there is only one', series: { [up(RELAY)]: '1x30' }, quiet: [7, 15], firing: [] },
  { alert: 'RelaydNothingWatched', what: 'the targets are gone, and come back', series: { [up(RELAY)]: '1x5 _x20 1x10' }, quiet: [5, 10, 32], firing: [20, 25] },
  { alert: 'RelaydRestarting', what: 'it starts four times', series: { [`process_start_time_seconds{${RELAY}}`]: '100 100 200 200 300 300 400x40' }, quiet: [1, 4, 30], firing: [7, 12] },
  { alert: 'RelaydRestarting', what: 'it is started again once', series: { [`process_start_time_seconds{${RELAY}}`]: '100x5 400x40' }, quiet: [5, 7, 12], firing: [] },
  { alert: 'RelaydNotReady', what: 'the check fails', series: { [`relayd_ready{${RELAY}}`]: '1x5 0x10 1x10', [`relayd_state{${RELAY}, state="draining"}`]: '0x30' }, quiet: [5, 7, 18], firing: [9, 15] },
  { alert: 'RelaydNotReady', what: 'it drains', series: { [`relayd_ready{${RELAY}}`]: '1x5 0x10', [`relayd_state{${RELAY}, state="draining"}`]: '0x5 1x10' }, quiet: [5, 9, 15], firing: [] },
  { alert: 'RelaydDrainOverdue', what: 'its drain was to end after seven minutes', series: { [`relayd_drain_deadline_seconds{${RELAY}}`]: '0x5 420x10 0x10' }, quiet: [5, 7, 8, 18], firing: [10, 15] },
  { alert: 'RelaydEventLoopLate', what: 'the loop is late for eight minutes', series: { [`relayd_event_loop_delay_seconds{${RELAY}, quantile="p99"}`]: '0.01x5 0.4x8 0.01x10', [`relayd_event_loop_delay_seconds{${RELAY}, quantile="max"}`]: '9x30' }, quiet: [5, 7, 15], firing: [9, 13] },
  { alert: 'RelaydMemoryNearlyFull', what: 'it grows to 95 %', series: { [`process_resident_memory_bytes{${RELAY}}`]: '500x5 950x10 500x10', [`relayd_memory_limit_bytes{${RELAY}}`]: '1000x30' }, quiet: [5, 10, 18], firing: [12, 15] },
  { alert: 'RelaydHeapNearlyFull', what: 'it grows to 95 %', series: { [`nodejs_heap_size_used_bytes{${RELAY}}`]: '500x5 950x10 500x10', [`relayd_heap_limit_bytes{${RELAY}}`]: '1000x30' }, quiet: [5, 10, 18], firing: [12, 15] },
  { alert: 'RelaydDescriptorsNearlyUsed', what: '900 of 1,024 are open', series: { [`process_open_fds{${RELAY}}`]: '500x5 900x10 500x10', [`process_max_fds{${RELAY}}`]: '1024x30', 'process_open_fds{job="node"}': '9x30', 'process_max_fds{job="node"}': '10x30' }, quiet: [5, 10, 18], firing: [12, 15] },
  { alert: 'RelaydCertificateExpiresSoon', what: 'it has 14 days and an hour, and is renewed', series: { [`relayd_certificate_expires_seconds{${RELAY}}`]: `${14 * DAY_SECONDS + HOUR_SECONDS}x80 ${90 * DAY_SECONDS}x20` }, quiet: [5, 59, 62, 85], firing: [67, 75] },
  { alert: 'RelaydCertificateExpiresSoon', what: 'it has expired: that is another alert', series: { [`relayd_certificate_expires_seconds{${RELAY}}`]: '0x30' }, quiet: [10, 25], firing: [] },
  { alert: 'RelaydCertificateExpired', what: 'it has an hour, expires, and is renewed', series: { [`relayd_certificate_expires_seconds{${RELAY}}`]: `${HOUR_SECONDS}x80 ${90 * DAY_SECONDS}x20` }, quiet: [5, 59, 60, 85], firing: [62, 75] },
  { alert: 'RelaydReservationsNearlyFull', what: 'the public pool fills up; nobody can be a member', series: { [`relayd_relay_reservations{${RELAY}, class="public"}`]: '60x5 120x20 60x10', [`relayd_relay_reservations_max{${RELAY}, class="public"}`]: '128x40', [`relayd_relay_reservations{${RELAY}, class="member"}`]: '0x40', [`relayd_relay_reservations_max{${RELAY}, class="member"}`]: '0x40' }, quiet: [5, 14, 28], firing: [17, 25], count: 1 },
  { alert: 'RelaydReservationsNearlyFull', what: 'there is no limit', series: { [`relayd_relay_reservations{${RELAY}, class="public"}`]: '9000x40', [`relayd_relay_reservations_max{${RELAY}, class="public"}`]: 'Inf '.repeat(40) }, quiet: [5, 20], firing: [] },
  { alert: 'RelaydCircuitsNearlyFull', what: 'both classes fill up', series: { [`relayd_relay_circuits{${RELAY}, class="public"}`]: '60x5 1000x10 60x10', [`relayd_relay_circuits_max{${RELAY}, class="public"}`]: '1024x40', [`relayd_relay_circuits{${RELAY}, class="member"}`]: '60x5 1000x10 60x10', [`relayd_relay_circuits_max{${RELAY}, class="member"}`]: '1024x40' }, quiet: [5, 9, 18], firing: [12, 15], count: 2 },
  { alert: 'RelaydBuffersNearlyFull', what: 'they fill up', series: { [`relayd_relay_buffered_bytes{${RELAY}, class="public"}`]: '60x5 1000x10 60x10', [`relayd_relay_buffered_bytes_max{${RELAY}, class="public"}`]: '1024x40' }, quiet: [5, 9, 18], firing: [12, 15] },
  { alert: 'RelaydRefusingForCapacity', what: 'a third of the requests find no room', series: { ...requests('ok', '0+20x60'), ...requests('rejected', '0x10 10+10x14 150x30'), ...refusals('reservations.max', '0x10 10+10x14 150x30'), ...NO_REFUSALS }, quiet: [10, 14, 40], firing: [17, 25] },
  { alert: 'RelaydRefusingForCapacity', what: 'one request in a day finds no room, and there was no other', series: { ...requests('ok', '0x60'), ...requests('rejected', '0x10 1x50'), ...refusals('reservations.max', '0x10 1x50') }, quiet: [12, 17, 25], firing: [] },
  { alert: 'RelaydRefusingOften', what: 'half of the requests come too often', series: { ...requests('ok', '0+20x60'), ...requests('rejected', '0x10 20+20x19 400x30'), ...refusals('rates.reservePerPeer', '0x10 20+20x19 400x30'), ...NO_REFUSALS }, quiet: [10, 18, 45], firing: [24, 29] },
  { alert: 'RelaydRefusingOften', what: 'those who come while it drains', series: { ...requests('rejected', '0x10 20+20x40'), ...refusals('draining', '0x10 20+20x40') }, quiet: [18, 24, 29], firing: [] },
  { alert: 'RelaydConnectionsRefused', what: 'there is no room for connections', series: { [`relayd_connections_refused_total{${RELAY}, limit="max"}`]: '0x5 5+5x10 55x20', [`relayd_connections_refused_total{${RELAY}, limit="inboundPerPrefix"}`]: '0x40' }, quiet: [5, 6, 30], firing: [9, 15] },
  { alert: 'RelaydHandshakesRefused', what: 'one network comes twice a second, and what it leaves is put out', series: { [`relayd_connections_refused_total{${RELAY}, limit="inboundPerPrefix"}`]: '0x5 80+80x14 1200x20', [`relayd_connections_refused_total{${RELAY}, limit="pendingPerPrefix"}`]: '0x45', [`relayd_connections_refused_total{${RELAY}, limit="max"}`]: '0x45', [`relayd_handshakes_evicted_total{${RELAY}, reason="silent"}`]: '0x5 40+40x14 600x20', [`relayd_handshakes_evicted_total{${RELAY}, reason="slow"}`]: '0x45' }, quiet: [5, 10, 35], firing: [16, 20] },
  { alert: 'RelaydClientDown', what: 'it is down', series: { [up(CLIENT)]: '1x5 0x10 1x10', [up(RELAY)]: '0x30' }, quiet: [5, 7, 18], firing: [9, 15] },
  { alert: 'RelaydClientHoldsNoReservation', what: 'it loses both', series: { [`relayd_client_reservations_held{${CLIENT}}`]: '2x5 0x10 1x10', [`libp2p_autorelay_desired_reservations{${CLIENT}}`]: '2x30' }, quiet: [5, 7, 18], firing: [9, 15] },
  { alert: 'RelaydClientHoldsNoReservation', what: 'it wants none: it can be reached directly', series: { [`relayd_client_reservations_held{${CLIENT}}`]: '0x30', [`libp2p_autorelay_desired_reservations{${CLIENT}}`]: '0x30' }, quiet: [5, 20], firing: [] },
  { alert: 'RelaydClientHoldsTooFew', what: 'it loses one of two', series: { [`relayd_client_reservations_held{${CLIENT}}`]: '2x5 1x20 2x10', [`libp2p_autorelay_desired_reservations{${CLIENT}}`]: '2x40' }, quiet: [5, 14, 28], firing: [17, 25] },
  { alert: 'RelaydTunnelsFailing', what: 'half of its connections fail', series: { [`relayd_tunnel_connections_total{${CLIENT}, direction="forward", outcome="ok"}`]: '0+10x40', [`relayd_tunnel_connections_total{${CLIENT}, direction="forward", outcome="failed"}`]: '0x5 10+10x14 150x20', [`relayd_tunnel_connections_total{${CLIENT}, direction="forward", outcome="refused"}`]: '0x40' }, quiet: [5, 8, 35], firing: [15, 20], count: 1 },
  { alert: 'RelaydClusterStoreAway', what: 'it is away for ten minutes', series: { [`relayd_cluster_up{${RELAY}}`]: '1x5 0x10 1x10', [`relayd_cluster_up{${OTHER}}`]: '1x30' }, quiet: [5, 6, 17], firing: [7, 15] },
  { alert: 'RelaydClusterRelayGone', what: 'of three relays one is gone, and is forgotten after ten minutes', series: { [`relayd_cluster_relays{${RELAY}}`]: '3x5 2x30', [`relayd_cluster_relays_known{${RELAY}}`]: '3x15 2x20' }, quiet: [5, 6, 17], firing: [7, 15] },
  { alert: 'RelaydClusterSplit', what: 'two relays see each other, then only themselves', series: { [`relayd_cluster_relays{${RELAY}}`]: '2x5 1x10 2x10', [`relayd_cluster_relays{${OTHER}}`]: '2x5 1x10 2x10' }, quiet: [5, 6, 17], firing: [8, 15], count: 2 },
  { alert: 'RelaydClusterSplit', what: 'one of two is down: that is another alert', series: { [`relayd_cluster_relays{${RELAY}}`]: '2x5 1x20', [`relayd_cluster_relays{${OTHER}}`]: '2x5 stale' }, quiet: [5, 8, 20], firing: [] },
  { alert: 'RelaydClusterSplit', what: 'two clusters of one relay each', series: { [`relayd_cluster_relays{${RELAY}, cluster="a"}`]: '1x30', [`relayd_cluster_relays{${OTHER}, cluster="b"}`]: '1x30' }, quiet: [5, 20], firing: [] },
  { alert: 'RelaydClusterRelaysDisagree', what: 'one has other limits for ten minutes', series: { [`relayd_cluster_relays_disagreeing{${RELAY}}`]: '0x5 1x10 0x10' }, quiet: [5, 10, 17], firing: [12, 15] },
  { alert: 'RelaydClusterClocksDiffer', what: 'a clock is 35 s off for ten minutes, as two relays see it, and a third knows no time', series: { [`relayd_cluster_clock_skew_seconds{${RELAY}}`]: '0.01x5 35x10 0.01x10', [`relayd_cluster_clock_skew_seconds{${OTHER}}`]: '0.02x5 35x10 0.02x10', 'relayd_cluster_clock_skew_seconds{job="relayd", instance="relay-old:9641", role="relay"}': 'NaN '.repeat(27) }, quiet: [5, 10, 17], firing: [12, 15], count: 1 },
  { alert: 'RelaydClusterClocksDiffer', what: 'of two relays one has heard no time yet, and the other measures over a slow network', series: { [`relayd_cluster_clock_skew_seconds{${RELAY}}`]: 'NaN '.repeat(30), [`relayd_cluster_clock_skew_seconds{${OTHER}}`]: '0.4x30' }, quiet: [7, 20], firing: [] },
  { alert: 'RelaydClusterLimitNearlyFull', what: 'the pool of the cluster fills up, as two relays see it', series: { [`relayd_cluster_limit_used_ratio{${RELAY}, limit="reservations.max"}`]: '0.5x5 0.95x10 0.5x10', [`relayd_cluster_limit_used_ratio{${OTHER}, limit="reservations.max"}`]: '0.5x5 0.94x10 0.5x10' }, quiet: [5, 10, 18], firing: [12, 15], count: 1 },
  { alert: 'RelaydClusterLimitNearlyFull', what: 'the pool of a cluster fills up whose store counts, and each of two relays knows its half', series: poolOfTwo('0.2x5 0.48x10 0.2x10', 'store'), quiet: [5, 10, 18], firing: [12, 15], count: 1 },
  { alert: 'RelaydClusterLimitNearlyFull', what: 'two relays that count by shares know the whole', series: poolOfTwo('0.48x30', 'share'), quiet: [5, 20], firing: [] },
  { alert: 'RelaydClusterLimitNearlyFull', what: 'one peer has all that it may have', series: { [`relayd_cluster_limit_used_ratio{${RELAY}, limit="reservations.perPeer"}`]: '1x30' }, quiet: [5, 20], firing: [] },
  { alert: 'RelaydForwardingFails', what: 'half of the circuits to other relays fail', series: { [`relayd_forward_circuits_total{${RELAY}, side="entry", outcome="ok"}`]: '0+10x40', [`relayd_forward_circuits_total{${RELAY}, side="entry", outcome="connection failed"}`]: '0x5 10+10x14 150x20', [`relayd_forward_circuits_total{${RELAY}, side="entry", outcome="no reservation"}`]: '0x40', [`relayd_forward_circuits_total{${RELAY}, side="exit", outcome="connection failed"}`]: '0+10x40' }, quiet: [5, 8, 35], firing: [15, 20], count: 1 },
  { alert: 'RelaydForwardingFails', what: 'one circuit in a day fails, and there was no other', series: { [`relayd_forward_circuits_total{${RELAY}, side="entry", outcome="connection failed"}`]: '0x10 1x30', [`relayd_forward_circuits_total{${RELAY}, side="entry", outcome="ok"}`]: '0x40' }, quiet: [11, 16, 30], firing: [] },
  { alert: 'RelaydTunnelsFailing', what: 'nobody connects', series: { [`relayd_tunnel_connections_total{${CLIENT}, direction="forward", outcome="ok"}`]: '5x40', [`relayd_tunnel_connections_total{${CLIENT}, direction="forward", outcome="failed"}`]: '5x40' }, quiet: [5, 20], firing: [] },
];
