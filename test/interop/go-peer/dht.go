package main

// The Kademlia DHT, by go-libp2p-kad-dht.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// joined is the DHT of this peer; nil without --dht.
var joined *dht.IpfsDHT

// joinDHT takes the plain DHT, not the pair for LAN and WAN: each of those two
// drops one half of the addresses, and loopback from both.
func joinDHT(ctx context.Context, h host.Host, s *settings) error {
	if s.dht == "" {
		return nil
	}
	mode := dht.ModeServer
	if s.dhtClient {
		mode = dht.ModeClient
	}
	d, err := dht.New(ctx, h, dht.Mode(mode), dht.V1ProtocolOverride(protocol.ID(s.dht)))
	if err != nil {
		return fmt.Errorf("dht: %w", err)
	}
	joined = d
	return nil
}

// provide puts this peer into the DHT as a provider of the key.
func provide(ctx context.Context, _ host.Host, r *request) (fields, error) {
	key, err := dhtKey(r)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := joined.Provide(ctx, key, true); err != nil {
		return nil, err
	}
	return fields{"ms": milliseconds(time.Since(start))}, nil
}

// providers looks a key up.
func providers(ctx context.Context, _ host.Host, r *request) (fields, error) {
	key, err := dhtKey(r)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	list := []fields{}
	for found := range joined.FindProvidersAsync(ctx, key, r.Count) {
		addrs := []string{}
		for _, a := range found.Addrs {
			addrs = append(addrs, a.String())
		}
		list = append(list, fields{"peer": found.ID.String(), "addrs": addrs})
	}
	return fields{"providers": list, "ms": milliseconds(time.Since(start))}, nil
}

// dhtPeers lists the routing table.
func dhtPeers(context.Context, host.Host, *request) (fields, error) {
	if joined == nil {
		return nil, errNoDHT
	}
	list := []string{}
	for _, p := range joined.RoutingTable().ListPeers() {
		list = append(list, p.String())
	}
	return fields{"peers": list}, nil
}

var errNoDHT = errors.New("this peer is in no DHT: --dht")

func dhtKey(r *request) (cid.Cid, error) {
	if joined == nil {
		return cid.Undef, errNoDHT
	}
	key, err := cid.Decode(r.Key)
	if err != nil {
		return cid.Undef, fmt.Errorf("key: %w", err)
	}
	return key, nil
}
