package main

// How the libp2p host is put together.

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
)

func newHost(s *settings, metrics *metricsServer) (host.Host, error) {
	if s.loopbackAsPublic && (s.mode == modeAutorelay || s.holePunching) {
		treatLoopbackAsPublic()
	}

	options := []libp2p.Option{
		libp2p.UserAgent("go-peer/go-libp2p-" + libp2pVersion()),
		// The transports the relay can speak; without the UDP ones, which come
		// with a listen address of theirs, no socket is outside the gater's reach.
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(websocket.New),
		// No trimming: a connection which vanishes in a test shall have vanished
		// by the peer under test.
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
	}
	if slices.ContainsFunc(s.listen, isQUIC) {
		options = append(options, libp2p.Transport(libp2pquic.NewTransport))
	}
	// No DHT, mDNS, NAT port mapping or AutoNAT service: go has them off unless
	// they are asked for, and they are not.

	if len(s.listen) > 0 {
		options = append(options, libp2p.ListenAddrs(s.listen...))
	} else {
		options = append(options, libp2p.NoListenAddrs)
	}
	// NoListenAddrs switches the circuit transport off as well, by which a
	// client both dials circuits and accepts them. So ask for it by name.
	options = append(options, libp2p.EnableRelay())

	identity, err := identityOf(s)
	if err != nil {
		return nil, err
	}
	options = append(options, identity)

	switch s.security {
	case securityNoise:
		options = append(options, libp2p.Security(noise.ID, noise.New))
	case securityTLS:
		options = append(options, libp2p.Security(libp2ptls.ID, libp2ptls.New))
	case securityBoth:
		options = append(options, libp2p.DefaultSecurity)
	}
	if !s.anyNetwork {
		options = append(options, libp2p.ConnectionGater(loopbackGater{}))
	}
	if s.noResourceLimits {
		options = append(options, libp2p.ResourceManager(&network.NullResourceManager{}))
	}
	if s.holePunching {
		options = append(options, libp2p.EnableHolePunching())
	}
	if metrics != nil {
		options = append(options, libp2p.PrometheusRegisterer(metrics.registry))
	} else {
		options = append(options, libp2p.DisableMetrics())
	}

	switch s.mode {
	case modeRelay:
		options = append(options, relayOptions(s)...)
	case modeAutorelay:
		autorelayOptions, err := autorelayOptions(s)
		if err != nil {
			return nil, err
		}
		options = append(options, autorelayOptions...)
	}
	return libp2p.New(options...)
}

// identityOf makes the key from a 32 byte ed25519 seed which is all zero but
// for the integer, big endian, in its last 8 bytes: easy to build anywhere.
func identityOf(s *settings) (libp2p.Option, error) {
	if s.seed == nil {
		return libp2p.RandomIdentity, nil
	}
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[ed25519.SeedSize-8:], *s.seed)
	// Not crypto.GenerateEd25519Key with a seeded reader: newer Go releases are
	// free to ignore the reader.
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return nil, err
	}
	return libp2p.Identity(key), nil
}

func isQUIC(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_QUIC_V1)
	return err == nil
}

func relayOptions(s *settings) []libp2p.Option {
	resources := s.relayResources
	// On loopback all clients share one address, so go's defaults (8
	// reservations of one IP, 32 of one ASN) would come before the limit which
	// the flag sets. Lift them to it.
	resources.MaxReservationsPerIP = resources.MaxReservations
	resources.MaxReservationsPerASN = resources.MaxReservations

	service := []relayv2.Option{
		relayv2.WithResources(resources),
		// By default the addrs of a reservation are the host's announced
		// addresses filtered by manet.IsPublicAddr: a relay on loopback sends
		// none, and client.Reserve gives back an empty list without any error.
		relayv2.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true }),
	}
	if s.relayUnlimited {
		// Drops the Limit from the replies too, by which go clients no longer
		// mark the circuit as limited.
		service = append(service, relayv2.WithInfiniteLimits())
	}
	return []libp2p.Option{
		libp2p.ForceReachabilityPublic(), // the service runs only while go believes this
		libp2p.EnableRelayService(service...),
	}
}

func autorelayOptions(s *settings) ([]libp2p.Option, error) {
	relays, err := peer.AddrInfosFromP2pAddrs(s.relays...)
	if err != nil {
		return nil, fmt.Errorf("--relay: %w", err)
	}
	return []libp2p.Option{
		libp2p.EnableAutoRelayWithStaticRelays(relays,
			// With static relays go waits until all of them answered or this has
			// passed, by default three minutes.
			autorelay.WithBootDelay(s.bootDelay),
			// A relay which refused, or which went away, is tried again only
			// after these; by default an hour and half a minute.
			autorelay.WithBackoff(s.backoff),
			autorelay.WithMinInterval(s.minInterval),
		),
		libp2p.ForceReachabilityPrivate(), // autorelay would first wait for AutoNAT's verdict
	}, nil
}

// waitForRelayService returns when the host answers the hop protocol. The
// service starts by an event after the host is built; a peer which is told
// "ready" must not meet a relay which is not one yet.
func waitForRelayService(ctx context.Context, h host.Host) error {
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
