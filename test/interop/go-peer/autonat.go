package main

// AutoNAT v2, by go-libp2p's own client and server.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	ma "github.com/multiformats/go-multiaddr"
)

// checks is the AutoNAT of this peer; nil without --autonat.
var checks *autonatv2.AutoNAT

// startAutonat puts the parts together as libp2p.EnableAutoNATv2 does, which
// has no way to allow private addresses: a host of its own for the dials, the
// service on the peer's host.
func startAutonat(h host.Host, s *settings) error {
	if !s.autonat {
		return nil
	}
	options := []libp2p.Option{libp2p.NoListenAddrs, libp2p.DisableMetrics()}
	if !s.anyNetwork {
		options = append(options, libp2p.ConnectionGater(loopbackGater{}))
	}
	dialer, err := libp2p.New(options...)
	if err != nil {
		return fmt.Errorf("autonat: %w", err)
	}
	checks, err = autonatv2.New(dialer, autonatv2.AllowPrivateAddrs)
	if err != nil {
		return fmt.Errorf("autonat: %w", err)
	}
	return checks.Start(h)
}

// reachability asks a connected peer which serves AutoNAT to dial an address of
// this one. Go asks no peer twice within two minutes.
func reachability(ctx context.Context, _ host.Host, r *request) (fields, error) {
	if checks == nil {
		return nil, errors.New("this peer runs without --autonat")
	}
	full, err := ma.NewMultiaddr(r.Addr)
	if err != nil {
		return nil, err
	}
	addr, _ := peer.SplitAddr(full)
	start := time.Now()
	result, err := checks.GetReachability(ctx, []autonatv2.Request{{Addr: addr, SendDialData: true}})
	if err != nil {
		return nil, err
	}
	return fields{"reachability": result.Reachability.String(), "refused": result.AllAddrsRefused, "ms": milliseconds(time.Since(start))}, nil
}
