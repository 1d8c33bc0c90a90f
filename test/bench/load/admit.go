package main

// admit: requests to a relay, many in a row or at once: RESERVE of new peers and
// of ones that have a reservation, CONNECT.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

func init() { commands["admit"] = admit }

func admit(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("admit", flag.ContinueOnError)
	addr := f.String("relay", "", "the relay's full `ADDR`")
	security := f.String("security", "noise", "noise or tls")
	if err := f.Parse(args); err != nil {
		return err
	}
	relay, err := peer.AddrInfoFromString(*addr)
	if err != nil {
		return fmt.Errorf("--relay: %w", err)
	}
	b := &admitBench{crowd: crowd{relay: *relay, security: *security}}
	say(fields{"event": "ready"})
	return obey(ctx, func(o order) (fields, error) {
		return with(o, func(a admitOrder) (fields, error) { return b.carryOut(ctx, a) })
	})
}

type admitBench struct {
	crowd
	sources []*holder
}

type admitOrder struct {
	Cmd             string
	Count, Parallel int
}

func (b *admitBench) carryOut(ctx context.Context, o admitOrder) (fields, error) {
	p := pace{count: o.Count, parallel: o.Parallel}
	switch o.Cmd {
	case "fresh":
		return repeat(ctx, p, func(ctx context.Context, _ int) error { return b.makeOne(ctx) })
	case "refresh":
		return repeat(ctx, p, func(ctx context.Context, i int) error { return b.at(i).reserve(ctx) })
	case "sources":
		return nil, b.addSources(ctx, o.Count)
	case "connect":
		return b.connectAll(ctx, p)
	}
	return nil, fmt.Errorf("unknown command %q", o.Cmd)
}

// addSources connects those that open circuits, until there are so many.
func (b *admitBench) addSources(ctx context.Context, count int) error {
	for len(b.sources) < count {
		source, err := b.newSource(ctx)
		if err != nil {
			return err
		}
		b.sources = append(b.sources, source)
	}
	return nil
}

// connectAll has one circuit at a time from each source.
func (b *admitBench) connectAll(ctx context.Context, p pace) (fields, error) {
	if len(b.sources) < p.parallel {
		return nil, fmt.Errorf("%d at once from %d sources", p.parallel, len(b.sources))
	}
	idle := make(chan *holder, len(b.sources))
	for _, source := range b.sources {
		idle <- source
	}
	return repeat(ctx, p, func(ctx context.Context, i int) error {
		source := <-idle
		defer func() { idle <- source }()
		return b.useCircuit(ctx, source, b.at(i).id)
	})
}

// useCircuit opens one, sees a byte go there and back, and closes it.
func (b *admitBench) useCircuit(ctx context.Context, source *holder, target peer.ID) error {
	stream, err := source.openTo(ctx, target)
	if err != nil {
		return err
	}
	if err := seeEcho(stream); err != nil {
		return errors.Join(err, stream.Reset())
	}
	return stream.Close()
}

func seeEcho(stream network.MuxedStream) error {
	sent, back := []byte{0x2a}, make([]byte, 1)
	if _, err := stream.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(stream, back); err != nil {
		return fmt.Errorf("no byte came back: %w", err)
	}
	if back[0] != sent[0] {
		return errors.New("another byte came back")
	}
	return nil
}
