package main

// latency: round trips through a circuit and beside the relay, with and without
// other circuits that carry as much as they can.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const echoProtocol = protocol.ID("/p2p-relayd/bench/echo")

func init() { commands["latency"] = latency }

func latency(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("latency", flag.ContinueOnError)
	addr := f.String("relay", "", "the relay's full `ADDR`")
	security := f.String("security", "noise", "noise or tls")
	batch := f.Bool("batch", false, "gather small writes of the socket; false: a system call each, as go has it")
	processors := f.Int("processors", 0, "how many run this at once; 0: all")
	if err := f.Parse(args); err != nil {
		return err
	}
	runtime.GOMAXPROCS(*processors)
	ends, err := newPairs(*addr, *security, *batch)
	if err != nil {
		return err
	}
	b := &pingBench{pairs: ends}
	defer b.close()
	say(fields{"event": "ready"})
	return obey(ctx, func(o order) (fields, error) { return b.carryOut(ctx, o) })
}

type pingBench struct {
	pairs
	relayed, direct *pinger
	flood           *flood
}

// pingOrder is one measurement; without a gap a ping waits for the last one.
type pingOrder struct {
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"`
	GapUs   float64 `json:"gapUs"`
}

// floodOrder begins with the first pair of hosts: the one of the pings, in a
// process that has both.
type floodOrder struct {
	Circuits, Connections, Write int
}

func (b *pingBench) carryOut(ctx context.Context, o order) (fields, error) {
	switch o.Cmd {
	case "open":
		return nil, b.openPingers(ctx)
	case "ping":
		return with(o, b.ping)
	case "flood":
		return with(o, func(f floodOrder) (fields, error) { return nil, b.startFlood(ctx, f) })
	case "received":
		return fields{"bytes": b.flood.received()}, nil
	case "rest":
		return nil, b.flood.end()
	}
	return nil, fmt.Errorf("unknown command %q", o.Cmd)
}

// openPingers opens a circuit between the first pair of hosts, and a connection
// between two that never see the relay.
func (b *pingBench) openPingers(ctx context.Context) error {
	circuit, err := b.circuit(ctx, 0, 0)
	if err != nil {
		return err
	}
	go echo(circuit.target)
	b.relayed = &pinger{stream: circuit.source}
	b.direct, err = b.openDirect(ctx)
	return err
}

func (b *pingBench) openDirect(ctx context.Context) (*pinger, error) {
	target, err := newHost(b.security, libp2p.ListenAddrStrings(loopback), libp2p.DisableRelay())
	if err != nil {
		return nil, err
	}
	target.SetStreamHandler(echoProtocol, echo)
	source, err := newHost(b.security, libp2p.NoListenAddrs, libp2p.DisableRelay())
	if err != nil {
		return nil, err
	}
	b.hosts = append(b.hosts, source, target)
	if err := source.Connect(ctx, peer.AddrInfo{ID: target.ID(), Addrs: target.Addrs()}); err != nil {
		return nil, err
	}
	stream, err := source.NewStream(ctx, target.ID(), echoProtocol)
	return &pinger{stream: stream}, err
}

// ping measures both ways. With a gap it does so at the same time: what the
// direct one suffers is the machine's doing and go's, not the relay's. Without,
// each has the machine to itself.
func (b *pingBench) ping(o pingOrder) (fields, error) {
	if o.Bytes < smallestPing || o.Bytes > maxWrite {
		return nil, fmt.Errorf("bytes: %d to %d", smallestPing, maxWrite)
	}
	if b.relayed == nil {
		return nil, errors.New("nothing is open")
	}
	lasting, gap := seconds(o.Seconds), time.Duration(o.GapUs*float64(time.Microsecond))
	relayed, direct := make(chan pinged, 1), make(chan pinged, 1)
	if gap == 0 {
		relayed <- b.relayed.oneByOne(o.Bytes, lasting/2)
		direct <- b.direct.oneByOne(o.Bytes, lasting/2)
	} else {
		go func() { direct <- b.direct.paced(o.Bytes, lasting, gap) }()
		relayed <- b.relayed.paced(o.Bytes, lasting, gap)
	}
	r, d := <-relayed, <-direct
	return fields{"relayed": spread(r.took), "atSend": spread(r.atSend), "direct": spread(d.took)}, errors.Join(r.err, d.err)
}

func (b *pingBench) startFlood(ctx context.Context, o floodOrder) error {
	flows, err := b.circuits(ctx, o.Circuits, 0, o.Connections)
	if err != nil {
		return err
	}
	b.flood, err = newFlood(flows, o.Write, unlimitedFlood)
	if err != nil {
		return err
	}
	b.flood.startReading()
	return nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
