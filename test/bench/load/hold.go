package main

// hold: many peers that each hold a reservation, for what a relay costs at rest.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const holdTimeout = 30 * time.Second

// circuitLife is how long a circuit that was opened to be timed stays open.
const circuitLife = 20 * time.Millisecond

// stride makes a few circuits meet old holders and new ones.
const stride = 7919

func init() { commands["hold"] = hold }

// holdOrder is one line of stdin.
//
//	{"id":1,"cmd":"make","count":1000,"parallel":16}
//	{"id":2,"cmd":"circuits","count":500,"gapMs":5,"makePerSecond":50}
type holdOrder struct {
	ID       int     `json:"id"`
	Cmd      string  `json:"cmd"`
	Count    int     `json:"count"`
	Parallel int     `json:"parallel"`
	GapMs    float64 `json:"gapMs"`
	// While the circuits are opened, so many new holders come each second.
	MakePerSecond float64 `json:"makePerSecond"`
}

func hold(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("hold", flag.ContinueOnError)
	relay := f.String("relay", "", "full `ADDR` of the relay")
	security := f.String("security", "noise", "noise or tls")
	if err := f.Parse(args); err != nil {
		return err
	}
	info, err := peer.AddrInfoFromString(*relay)
	if err != nil {
		return fmt.Errorf("--relay: %w", err)
	}
	c := &crowd{relay: *info, security: *security}
	say(fields{"event": "ready"})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() && ctx.Err() == nil {
		var o holdOrder
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		say(c.answer(ctx, o))
	}
	return lines.Err()
}

// crowd is every holder that holds.
type crowd struct {
	relay    peer.AddrInfo
	security string
	mu       sync.Mutex
	holders  []*holder
}

func (c *crowd) answer(ctx context.Context, o holdOrder) fields {
	line, err := c.carryOut(ctx, o)
	if line == nil {
		line = fields{}
	}
	line["id"], line["ok"] = o.ID, err == nil
	if err != nil {
		line["error"] = err.Error()
	}
	return line
}

func (c *crowd) carryOut(ctx context.Context, o holdOrder) (fields, error) {
	switch o.Cmd {
	case "make":
		return repeat(ctx, pace{count: o.Count, parallel: o.Parallel}, func(ctx context.Context, _ int) error { return c.makeOne(ctx) })
	case "circuits":
		return c.circuits(ctx, o)
	}
	return nil, fmt.Errorf("unknown order %q", o.Cmd)
}

func (c *crowd) makeOne(ctx context.Context) error {
	h, err := newHolder()
	if err != nil {
		return err
	}
	if err := h.connect(ctx, c.relay, c.security); err != nil {
		return err
	}
	if err := h.reserve(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holders = append(c.holders, h)
	return nil
}

func (c *crowd) at(i int) *holder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holders[i%len(c.holders)]
}

// circuits opens one after the other, from one source to holders here and there.
func (c *crowd) circuits(ctx context.Context, o holdOrder) (fields, error) {
	if len(c.holders) == 0 {
		return nil, errors.New("nobody holds a reservation")
	}
	source, err := c.newSource(ctx)
	if err != nil {
		return nil, err
	}
	defer source.conn.Close()
	ctx, stopMaking := context.WithCancel(ctx)
	made := c.makeMeanwhile(ctx, o.MakePerSecond)
	line, err := repeat(ctx, pace{count: o.Count, gap: milliseconds(o.GapMs)}, func(ctx context.Context, i int) error {
		stream, err := source.openTo(ctx, c.at(i*stride).id)
		if err == nil {
			time.AfterFunc(circuitLife, func() { _ = stream.Reset() })
		}
		return err
	})
	stopMaking()
	return line, errors.Join(err, <-made)
}

func (c *crowd) newSource(ctx context.Context) (*holder, error) {
	source, err := newHolder()
	if err != nil {
		return nil, err
	}
	return source, source.connect(ctx, c.relay, c.security)
}

// makeMeanwhile makes new holders until ctx ends.
func (c *crowd) makeMeanwhile(ctx context.Context, perSecond float64) <-chan error {
	done := make(chan error, 1)
	if perSecond == 0 {
		done <- nil
		return done
	}
	go func() {
		ticks := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
		defer ticks.Stop()
		var failed error
		for failed == nil {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-ticks.C:
				// Not of ctx: the last one is made whole.
				one, cancel := context.WithTimeout(context.Background(), holdTimeout)
				failed = c.makeOne(one)
				cancel()
			}
		}
		done <- failed
	}()
	return done
}

func milliseconds(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
