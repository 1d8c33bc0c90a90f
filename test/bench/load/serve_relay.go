package main

// serve-relay: go-libp2p's relay, with no limit on what it relays.

import (
	"context"
	"errors"
	"flag"
	"math"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

func serveRelay(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("serve-relay", flag.ContinueOnError)
	security := f.String("security", "noise", "noise or tls")
	buffer := f.Int("buffer", relayv2.DefaultResources().BufferSize, "`BYTES` of the copy buffer of each direction of a circuit")
	if err := f.Parse(args); err != nil {
		return err
	}
	encryption, err := plainSecurity(*security)
	if err != nil {
		return err
	}
	h, err := newHost(encryption, relayOptions(*buffer)...)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := untilItRelays(ctx, h); err != nil {
		return err
	}
	say(fields{"event": "ready", "peerId": h.ID().String(), "addrs": fullAddrs(h)})
	return obey(ctx, func(order) (fields, error) { return nil, errors.New("a relay takes no orders") })
}

func relayOptions(buffer int) []libp2p.Option {
	resources := relayv2.DefaultResources()
	resources.BufferSize = buffer
	resources.ReservationTTL = 24 * time.Hour
	resources.MaxReservations = math.MaxInt32
	resources.MaxReservationsPerIP = math.MaxInt32
	resources.MaxReservationsPerASN = math.MaxInt32
	resources.MaxCircuits = math.MaxInt32
	return []libp2p.Option{
		libp2p.ListenAddrStrings(loopback),
		libp2p.ForceReachabilityPublic(), // the service runs only while go believes this
		libp2p.EnableRelayService(
			relayv2.WithResources(resources),
			relayv2.WithInfiniteLimits(),
			// By default only public addresses are named in a reservation.
			relayv2.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true }),
		),
	}
}

// untilItRelays waits for the relay service, which an event starts after the
// host is there.
func untilItRelays(ctx context.Context, h host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for !slices.Contains(h.Mux().Protocols(), proto.ProtoIDv2Hop) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the relay service did not start")
		}
	}
	return nil
}
