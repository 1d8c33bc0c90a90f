package main

// pump: bytes through circuits of one relay, every one of them checked.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
)

// maxHosts is how many hosts, and so TCP connections, there are at each end:
// further circuits share them.
const maxHosts = 8

// knownWithin is longer than relays take to tell each other.
const knownWithin = 10 * time.Second

func pump(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("pump", flag.ContinueOnError)
	addr := f.String("relay", "", "the relay's full `ADDR`")
	exitAddr := f.String("target-relay", "", "full `ADDR` of another relay of its cluster, at which the targets are")
	security := f.String("security", "noise", "noise or tls")
	count := f.Int("circuits", 1, "how many circuits")
	batch := f.Bool("batch", true, "gather small writes of the socket; false: a system call each, as go has it")
	processors := f.Int("processors", defaultProcessors(), "how many run the load at once")
	stall := f.Duration("stall", 20*time.Second, "give up when no byte arrives for this long")
	if err := f.Parse(args); err != nil {
		return err
	}
	relay, err := peer.AddrInfoFromString(*addr)
	if err != nil {
		return fmt.Errorf("--relay: %w", err)
	}
	exit := relay
	if *exitAddr != "" {
		if exit, err = peer.AddrInfoFromString(*exitAddr); err != nil {
			return fmt.Errorf("--target-relay: %w", err)
		}
	}
	if *count < 1 {
		return errors.New("--circuits: at least one")
	}
	runtime.GOMAXPROCS(*processors)
	encryption, err := securityOf(*security, *batch)
	if err != nil {
		return err
	}
	l := &load{relay: *relay, exit: *exit, security: encryption, stall: *stall}
	defer l.close()
	if err := l.open(ctx, *count); err != nil {
		return err
	}
	say(fields{"event": "ready", "circuits": *count, "connections": len(l.hosts)})
	return obey(ctx, l.carryOut)
}

func securityOf(name string, batch bool) (libp2p.Option, error) {
	if batch {
		return batchedSecurity(name)
	}
	return plainSecurity(name)
}

// defaultProcessors is one for each end, but one is left to the relay: threads
// that wake each other up across processors cost more than the work they do.
func defaultProcessors() int {
	return max(1, min(2, runtime.NumCPU()-1))
}

// load is everything at both ends of the relay.
type load struct {
	relay    peer.AddrInfo // of the sources
	exit     peer.AddrInfo // of the targets
	security libp2p.Option
	stall    time.Duration
	hosts    []host.Host
	flows    []*flow
}

// open spreads the circuits over at most maxHosts pairs of hosts. They are
// opened one by one, so that it is known which two streams are one circuit.
func (l *load) open(ctx context.Context, count int) error {
	pairs := make([]pair, min(count, maxHosts))
	for i := range pairs {
		var err error
		if pairs[i], err = l.newPair(ctx); err != nil {
			return err
		}
	}
	for i := range count {
		p := pairs[i%len(pairs)]
		s, err := l.openKnown(ctx, p)
		if err != nil {
			return fmt.Errorf("circuit %d of %d: %w", i+1, count, err)
		}
		l.flows = append(l.flows, newFlow(i, s, <-p.accepted))
	}
	return nil
}

// openKnown waits until the relay of the source has heard of a reservation that
// another one has granted.
func (l *load) openKnown(ctx context.Context, p pair) (network.Stream, error) {
	for end := time.Now().Add(knownWithin); ; time.Sleep(10 * time.Millisecond) {
		s, err := openCircuit(ctx, p.source, l.relay.ID, p.target.ID())
		if err == nil || l.exit.ID == l.relay.ID || time.Now().After(end) {
			return s, err
		}
	}
}

type pair struct {
	source, target host.Host
	accepted       chan network.Stream
}

func (l *load) newPair(ctx context.Context) (pair, error) {
	source, err := l.newHost(ctx, l.relay)
	if err != nil {
		return pair{}, err
	}
	target, err := l.newHost(ctx, l.exit)
	if err != nil {
		return pair{}, err
	}
	p := pair{source: source, target: target, accepted: make(chan network.Stream, 1)}
	acceptCircuits(target, p.accepted)
	if _, err := client.Reserve(ctx, target, l.exit); err != nil {
		return pair{}, fmt.Errorf("reserve: %w", err)
	}
	return p, nil
}

func (l *load) newHost(ctx context.Context, relay peer.AddrInfo) (host.Host, error) {
	// go's circuit client would take the offered circuits itself.
	h, err := newHost(l.security, libp2p.NoListenAddrs, libp2p.DisableRelay())
	if err != nil {
		return nil, err
	}
	l.hosts = append(l.hosts, h)
	if err := h.Connect(ctx, relay); err != nil {
		return nil, fmt.Errorf("connect to the relay: %w", err)
	}
	return h, nil
}

func (l *load) carryOut(o order) (fields, error) {
	switch o.Cmd {
	case "pump":
		return l.pump(o.Bytes, o.Write)
	case "finish":
		return nil, l.finish()
	}
	return nil, fmt.Errorf("unknown command %q", o.Cmd)
}

// pump sends the bytes, in equal shares over all circuits, and returns when the
// last one has arrived.
func (l *load) pump(total int64, write int) (fields, error) {
	if write < 1 || write > maxWrite {
		return nil, fmt.Errorf("write: 1 to %d bytes", maxWrite)
	}
	share := total / int64(len(l.flows))
	start, cpu := time.Now(), ownCPU()
	err := l.inAll(func(f *flow) error { return f.run(share, write) })
	return fields{
		"bytes":      l.received(),
		"seconds":    time.Since(start).Seconds(),
		"cpuSeconds": ownCPU() - cpu,
	}, err
}

func (l *load) received() int64 {
	var sum int64
	for _, f := range l.flows {
		sum += f.received.Load()
	}
	return sum
}

// finish ends every circuit, and fails when a byte more arrives than was sent.
func (l *load) finish() error {
	return l.inAll((*flow).finish)
}

// inAll does the same with all circuits at once, as long as bytes arrive.
func (l *load) inAll(work func(*flow) error) error {
	done := make(chan error, len(l.flows))
	for i, f := range l.flows {
		go func() {
			err := work(f)
			if err != nil {
				err = fmt.Errorf("circuit %d of %d: %w", i+1, len(l.flows), err)
			}
			done <- err
		}()
	}
	watch := time.NewTicker(l.stall)
	defer watch.Stop()
	seen := int64(-1)
	for left := len(l.flows); left > 0; {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			left--
		case <-watch.C:
			now := l.received()
			if now == seen {
				return fmt.Errorf("stalled: no byte in %s, %d circuits unfinished after %d bytes in all", l.stall, left, now)
			}
			seen = now
		}
	}
	return nil
}

func (l *load) close() {
	for _, h := range l.hosts {
		h.Close()
	}
}

// ownCPU is what this process has used, in seconds. A load that costs more than
// the relay would measure itself.
func ownCPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
