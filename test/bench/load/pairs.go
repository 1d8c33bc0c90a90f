package main

// Pairs of hosts that are made when they are first wanted, and circuits between
// the two of a pair.

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// deadAfter is longer than anything may take that is not dead.
const deadAfter = 20 * time.Second

type pairs struct {
	load
	made []pair
}

func newPairs(relay, security string, batch bool) (pairs, error) {
	info, err := peer.AddrInfoFromString(relay)
	if err != nil {
		return pairs{}, fmt.Errorf("--relay: %w", err)
	}
	encryption, err := securityOf(security, batch)
	return pairs{load: load{relay: *info, exit: *info, security: encryption, stall: deadAfter}}, err
}

func (p *pairs) at(ctx context.Context, number int) (pair, error) {
	for len(p.made) <= number {
		next, err := p.newPair(ctx)
		if err != nil {
			return pair{}, err
		}
		p.made = append(p.made, next)
	}
	return p.made[number], nil
}

// circuit opens one; the number tells its bytes from those of the others.
func (p *pairs) circuit(ctx context.Context, pairNumber, number int) (*flow, error) {
	ends, err := p.at(ctx, pairNumber)
	if err != nil {
		return nil, err
	}
	source, err := openCircuit(ctx, ends.source, p.relay.ID, ends.target.ID())
	if err != nil {
		return nil, fmt.Errorf("circuit %d: %w", number, err)
	}
	return newFlow(number, source, <-ends.accepted), nil
}

// circuits spreads so many over some pairs, from the first one given.
func (p *pairs) circuits(ctx context.Context, count, firstPair, pairCount int) ([]*flow, error) {
	if count < 1 || pairCount < 1 {
		return nil, fmt.Errorf("%d circuits over %d connections: at least one of each", count, pairCount)
	}
	flows := make([]*flow, count)
	for i := range flows {
		var err error
		if flows[i], err = p.circuit(ctx, firstPair+i%pairCount, i); err != nil {
			return nil, err
		}
	}
	return flows, nil
}
