package main

// stall: circuits whose receivers stop reading while their senders push, and a
// healthy one through the same relay.

import (
	"context"
	"flag"
	"fmt"
	"time"
)

// quiet is how long no sender gets rid of a byte before they count as held up.
const quiet = time.Second

func init() { commands["stall"] = stall }

func stall(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("stall", flag.ContinueOnError)
	addr := f.String("relay", "", "the relay's full `ADDR`")
	security := f.String("security", "noise", "noise or tls")
	if err := f.Parse(args); err != nil {
		return err
	}
	ends, err := newPairs(*addr, *security, true)
	if err != nil {
		return err
	}
	b := &stallBench{pairs: ends}
	defer b.close()
	say(fields{"event": "ready"})
	return obey(ctx, func(o order) (fields, error) { return b.carryOut(ctx, o) })
}

type stallBench struct {
	pairs
	healthy *flow
	stalled []*flow
	flood   *flood
}

// stallOrder opens the circuits: the stalled ones on the healthy one's
// connections, or on others.
type stallOrder struct {
	Circuits, Connections int
	Shared                bool
}

// pushOrder says how much each sender pushes at most: not every relay stops it.
type pushOrder struct {
	Write int
	Limit int64
}

func (b *stallBench) carryOut(ctx context.Context, o order) (fields, error) {
	switch o.Cmd {
	case "open":
		return with(o, func(s stallOrder) (fields, error) { return nil, b.open(ctx, s) })
	case "pump":
		return b.pumpHealthy(o.Bytes, o.Write)
	case "push":
		return with(o, b.push)
	case "resume":
		return b.resume()
	}
	return nil, fmt.Errorf("unknown command %q", o.Cmd)
}

func (b *stallBench) open(ctx context.Context, o stallOrder) (err error) {
	first := 1
	if o.Shared {
		first = 0
	}
	if b.stalled, err = b.circuits(ctx, o.Circuits, first, o.Connections); err != nil {
		return err
	}
	b.healthy, err = b.circuit(ctx, 0, o.Circuits)
	return err
}

func (b *stallBench) pumpHealthy(bytes int64, write int) (fields, error) {
	start := time.Now()
	b.flows = []*flow{b.healthy}
	err := b.inAll(func(f *flow) error { return f.run(bytes, write) })
	return fields{"bytes": b.healthy.received.Load(), "seconds": time.Since(start).Seconds()}, err
}

// push returns when the senders are held up, or have sent what they may.
func (b *stallBench) push(o pushOrder) (fields, error) {
	var err error
	if b.flood, err = newFlood(b.stalled, o.Write, o.Limit); err != nil {
		return nil, err
	}
	for before := int64(-1); before != b.flood.taken(); {
		before = b.flood.taken()
		time.Sleep(quiet)
	}
	return fields{"bytes": b.flood.taken()}, nil
}

// resume lets the receivers read, and fails unless all that was pushed arrives.
func (b *stallBench) resume() (fields, error) {
	start := time.Now()
	b.flood.startReading()
	err := b.flood.end()
	return fields{"bytes": b.flood.received(), "seconds": time.Since(start).Seconds()}, err
}
