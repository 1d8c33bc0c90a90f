package main

// The commands about peers and connections.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
)

// reserve takes a reservation by go's own client. It is not renewed: that is
// autorelay's work, which mode autorelay does.
func reserve(ctx context.Context, h host.Host, r *request) (fields, error) {
	relay, err := peer.AddrInfoFromString(r.Relay)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	// Connect apart from the reservation: client.Reserve reports a failed dial
	// as a ReservationError as well.
	if err := dial(ctx, h, *relay); err != nil {
		return nil, fmt.Errorf("connect to the relay: %w", err)
	}
	start := time.Now()
	reservation, err := circuit.Reserve(ctx, h, *relay)
	if err != nil {
		answer := fields{}
		var refused circuit.ReservationError
		if errors.As(err, &refused) {
			answer["status"] = int32(refused.Status)
			answer["reason"] = refused.Reason
			// go uses the same type with a status of its own choice for what
			// fails on this side (203 no answer, 400 an answer it rejects).
			answer["fromRelay"] = refused.Reason == "reservation failed"
		}
		return answer, err
	}
	vouched := make([]string, 0, len(reservation.Addrs))
	for _, a := range reservation.Addrs {
		vouched = append(vouched, a.String())
	}
	return fields{
		"relay":                relay.ID.String(),
		"expire":               reservation.Expiration.Unix(),
		"limitDurationSeconds": int64(reservation.LimitDuration / time.Second),
		"limitBytes":           reservation.LimitData,
		"addrs":                vouched,
		"voucher":              reservation.Voucher != nil,
		"ms":                   milliseconds(time.Since(start)),
	}, nil
}

// connect dials exactly the address it is given, unless there is a connection
// which go takes for as good (a direct one is as good as any circuit). The
// answer describes the connection that is there then.
func connect(ctx context.Context, h host.Host, r *request) (fields, error) {
	target, err := peer.AddrInfoFromString(r.Addr)
	if err != nil {
		return nil, fmt.Errorf("addr: %w", err)
	}
	start := time.Now()
	if err := dial(ctx, h, *target); err != nil {
		answer := fields{"ms": milliseconds(time.Since(start))}
		if status, ok := circuitStatus(err); ok {
			answer["status"] = status
		}
		return answer, err
	}
	took := time.Since(start)
	conns := h.Network().ConnsToPeer(target.ID)
	if len(conns) == 0 {
		return fields{"ms": milliseconds(took)}, errors.New("the connection closed at once")
	}
	// A direct connection is what go would use for streams if there are both.
	best := conns[0]
	for _, c := range conns {
		if !isCircuit(c.RemoteMultiaddr()) {
			best = c
		}
	}
	path := "direct"
	if isCircuit(best.RemoteMultiaddr()) {
		path = "relay"
	}
	state := best.ConnState()
	return fields{
		"peer":        target.ID.String(),
		"path":        path,
		"limited":     best.Stat().Limited,
		"remote":      best.RemoteMultiaddr().String(),
		"security":    string(state.Security),
		"muxer":       string(state.StreamMultiplexer),
		"connections": len(conns),
		"ms":          milliseconds(took),
	}, nil
}

// dial connects by the given addresses alone, and now: addresses learned by
// identify would let go take a way the test did not ask for, and the back-off
// after a failure (5 s and more) would answer for the peer under test.
func dial(ctx context.Context, h host.Host, target peer.AddrInfo) error {
	ctx = network.WithAllowLimitedConn(ctx, "relayd test")
	wantsDirect := !slices.ContainsFunc(target.Addrs, isCircuit)
	if wantsDirect {
		// Otherwise go would be content with a relayed connection it has.
		ctx = network.WithForceDirectDial(ctx, "relayd test")
	}
	conns := h.Network().ConnsToPeer(target.ID)
	connected := slices.ContainsFunc(conns, func(c network.Conn) bool {
		return !wantsDirect || !isCircuit(c.RemoteMultiaddr())
	})
	// Not while connected: autorelay announces what the peerstore knows of its
	// relay.
	if !connected {
		h.Peerstore().ClearAddrs(target.ID)
		if s, ok := h.Network().(*swarm.Swarm); ok {
			s.Backoff().Clear(target.ID)
		}
	}
	return h.Connect(ctx, target)
}

// circuitStatus finds the status by which a relay refused a CONNECT. go has it
// only in the text of an unexported error.
func circuitStatus(err error) (int, bool) {
	found := circuitRefusal.FindStringSubmatch(err.Error())
	if found == nil {
		return 0, false
	}
	status, err := strconv.Atoi(found[1])
	return status, err == nil
}

var circuitRefusal = regexp.MustCompile(`error opening relay circuit: \w* \((\d+)\)`)

func isCircuit(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

func disconnect(_ context.Context, h host.Host, r *request) (fields, error) {
	id, err := peerOf(r)
	if err != nil {
		return nil, err
	}
	closed := len(h.Network().ConnsToPeer(id))
	return fields{"closed": closed}, h.Network().ClosePeer(id)
}

func connections(_ context.Context, h host.Host, r *request) (fields, error) {
	conns := h.Network().Conns()
	if r.Peer != "" {
		id, err := peerOf(r)
		if err != nil {
			return nil, err
		}
		conns = h.Network().ConnsToPeer(id)
	}
	list := make([]fields, 0, len(conns))
	for _, c := range conns {
		direction := "outbound"
		if c.Stat().Direction == network.DirInbound {
			direction = "inbound"
		}
		state := c.ConnState()
		list = append(list, fields{
			"peer":      c.RemotePeer().String(),
			"remote":    c.RemoteMultiaddr().String(),
			"direction": direction,
			"limited":   c.Stat().Limited,
			"security":  string(state.Security),
			"streams":   len(c.GetStreams()),
		})
	}
	return fields{"connections": list}, nil
}

// addrs gives what the host announces now. With waitCircuit it waits for the
// first circuit address, which is how a test sees that autorelay has settled.
func addrs(ctx context.Context, h host.Host, r *request) (fields, error) {
	start := time.Now()
	for {
		list := h.Addrs()
		found := slices.ContainsFunc(list, isCircuit)
		if found || !r.WaitCircuit {
			return fields{"addrs": fullAddrs(h), "ms": milliseconds(time.Since(start))}, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fields{"addrs": fullAddrs(h)}, fmt.Errorf("no circuit address: %w", ctx.Err())
		}
	}
}

// protocols tells what identify has learned of a peer. It waits for identify on
// the open connections, so that it may follow a connect at once.
func protocols(ctx context.Context, h host.Host, r *request) (fields, error) {
	id, err := peerOf(r)
	if err != nil {
		return nil, err
	}
	if identified, ok := h.(interface{ IDService() identify.IDService }); ok {
		for _, c := range h.Network().ConnsToPeer(id) {
			select {
			case <-identified.IDService().IdentifyWait(c):
			case <-ctx.Done():
				return nil, fmt.Errorf("identify: %w", ctx.Err())
			}
		}
	}
	known, err := h.Peerstore().GetProtocols(id)
	if err != nil {
		return nil, err
	}
	list := make([]string, 0, len(known))
	for _, p := range known {
		list = append(list, string(p))
	}
	slices.Sort(list)
	announced := make([]string, 0)
	for _, a := range h.Peerstore().Addrs(id) {
		announced = append(announced, a.String())
	}
	slices.Sort(announced)
	answer := fields{"protocols": list, "addrs": announced}
	for member, key := range map[string]string{"agentVersion": "AgentVersion", "protocolVersion": "ProtocolVersion"} {
		if value, err := h.Peerstore().Get(id, key); err == nil {
			answer[member] = value
		}
	}
	return answer, nil
}

func pingPeer(ctx context.Context, h host.Host, r *request) (fields, error) {
	id, err := peerOf(r)
	if err != nil {
		return nil, err
	}
	count := r.Count
	if count == 0 {
		count = 1
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends go's ping loop
	times := make([]float64, 0, count)
	results := ping.Ping(overOpenConnection(ctx), h, id)
	for len(times) < count {
		result, ok := <-results
		if !ok {
			// Closed without a result only when the context is over.
			return fields{"rttMs": times}, fmt.Errorf("ping: %w", context.Cause(ctx))
		}
		if result.Error != nil {
			return fields{"rttMs": times}, result.Error
		}
		times = append(times, milliseconds(result.RTT))
	}
	return fields{"rttMs": times}, nil
}

func peerOf(r *request) (peer.ID, error) {
	id, err := peer.Decode(r.Peer)
	if err != nil {
		return "", fmt.Errorf("peer: %w", err)
	}
	return id, nil
}

// overOpenConnection lets a stream use a relayed connection, and only one which
// is there. go would otherwise dial again by itself, and a test would see a
// circuit that was just cut work as before.
func overOpenConnection(ctx context.Context) context.Context {
	ctx = network.WithAllowLimitedConn(ctx, "relayd test")
	return network.WithNoDial(ctx, "relayd test")
}
