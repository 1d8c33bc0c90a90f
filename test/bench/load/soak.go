package main

// soak: much data both ways through a few circuits whose readers pause.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"
)

func init() { commands["soak"] = soak }

func soak(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	addr := f.String("relay", "", "the relay's full `ADDR`")
	security := f.String("security", "noise", "noise or tls")
	count := f.Int("circuits", 8, "how many circuits, each on connections of its own")
	if err := f.Parse(args); err != nil {
		return err
	}
	ends, err := newPairs(*addr, *security, true)
	if err != nil {
		return err
	}
	b := &soakBench{pairs: ends}
	defer b.close()
	if err := b.open(ctx, *count); err != nil {
		return err
	}
	say(fields{"event": "ready"})
	return obey(ctx, b.carryOut)
}

// soakBench has two flows of each circuit, one a direction.
type soakBench struct {
	pairs
	both   []*flow
	failed chan error // one of each flow
	pauses chan int
	start  time.Time
}

// soakOrder sends an equal share of the bytes in each direction of each circuit.
type soakOrder struct {
	Bytes   int64
	Write   int
	Seed    uint64
	PauseMs float64
}

func (b *soakBench) carryOut(o order) (fields, error) {
	switch o.Cmd {
	case "start":
		return with(o, b.begin)
	case "until":
		return b.until(o.Bytes)
	case "finish":
		return b.finish()
	}
	return nil, fmt.Errorf("unknown command %q", o.Cmd)
}

func (b *soakBench) open(ctx context.Context, count int) error {
	for i := range count {
		forth, err := b.circuit(ctx, i, 2*i)
		if err != nil {
			return err
		}
		b.both = append(b.both, forth, newFlow(2*i+1, forth.target, forth.source))
	}
	return nil
}

func (b *soakBench) begin(o soakOrder) (fields, error) {
	if o.Write < 1 || o.Write > maxWrite || o.PauseMs < 0 {
		return nil, fmt.Errorf("write: 1 to %d bytes, pauseMs: 0 or more", maxWrite)
	}
	b.start = time.Now()
	b.failed, b.pauses = make(chan error, len(b.both)), make(chan int, len(b.both))
	share := o.Bytes / int64(len(b.both))
	for i, f := range b.both {
		reader := newPausingReader(f.target, o.Seed, uint64(i), time.Duration(o.PauseMs*float64(time.Millisecond)))
		go func() {
			b.failed <- f.sendAndReceive(share, o.Write, reader)
			b.pauses <- reader.pauses
		}()
	}
	return nil, nil
}

// sendAndReceive half-closes behind the last byte, and expects the end there and
// not before.
func (f *flow) sendAndReceive(bytes int64, write int, from *pausingReader) error {
	sending := make(chan error, 1)
	go func() { sending <- errors.Join(f.send(bytes, write), f.source.CloseWrite()) }()
	received := f.receiveAll(from)
	return errors.Join(received, <-sending, f.complete())
}

// until returns when so much has arrived in all.
func (b *soakBench) until(bytes int64) (fields, error) {
	seen, at := int64(-1), time.Now()
	for now := received(b.both); now < bytes; now = received(b.both) {
		if now != seen {
			seen, at = now, time.Now()
		}
		if time.Since(at) > deadAfter {
			return nil, errors.Join(fmt.Errorf("no byte in %s after %d", deadAfter, now), b.failure())
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fields{"bytes": received(b.both), "seconds": time.Since(b.start).Seconds()}, nil
}

// failure is the first one so far.
func (b *soakBench) failure() error {
	for {
		select {
		case err := <-b.failed:
			if err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (b *soakBench) finish() (fields, error) {
	late := time.After(deadAfter)
	pauses := 0
	for range b.both {
		select {
		case err := <-b.failed:
			if err != nil {
				return nil, err
			}
			pauses += <-b.pauses
		case <-late:
			return nil, errors.New("not every direction came to its end")
		}
	}
	line := fields{"bytes": received(b.both), "seconds": time.Since(b.start).Seconds(), "pauses": pauses}
	for _, f := range b.both {
		f.source.Close()
	}
	return line, nil
}
