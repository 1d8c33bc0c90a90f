package main

// converge: peers that reserve at relays of one cluster, and how soon each of
// the other relays opens a circuit to them.

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// maxMaking bounds the peers that are on their way in, should the relays not keep up.
const maxMaking = 256

func init() { commands["converge"] = converge }

func converge(ctx context.Context, args []string) error {
	c := &cluster{next: 1}
	f := flag.NewFlagSet("converge", flag.ContinueOnError)
	f.Func("relay", "full `ADDR` of a relay; once for each", func(text string) error {
		info, err := peer.AddrInfoFromString(text)
		if err == nil {
			c.relays = append(c.relays, *info)
		}
		return err
	})
	f.StringVar(&c.security, "security", "noise", "noise or tls")
	from := f.String("from", "", "the network `CIDR` (IPv4) out of which each peer has an address of its own")
	if err := f.Parse(args); err != nil {
		return err
	}
	_, network, err := net.ParseCIDR(*from)
	if err != nil || network.IP.To4() == nil {
		return fmt.Errorf("--from %q: no network of IPv4", *from)
	}
	c.network = network
	if err := c.connectAskers(ctx); err != nil {
		return err
	}
	say(fields{"event": "ready"})
	return obey(ctx, func(o order) (fields, error) {
		return with(o, func(l convergeOrder) (fields, error) { return c.carryOut(ctx, l) })
	})
}

// convergeOrder is one line of stdin.
//
//	{"id":1,"cmd":"connect","count":4000,"parallel":8}
//	{"id":2,"cmd":"load","perSecond":100,"seconds":20,"oneIn":10,"allIn":50,"pollMs":5}
type convergeOrder struct {
	Cmd             string
	Count, Parallel int
	PerSecond       float64
	Seconds         float64
	// OneIn is how many reservations it takes until another relay, by chance, is asked for one; AllIn, until all are. 0: never.
	OneIn, AllIn int
	PollMs       float64
}

// cluster is its relays, one peer at each that asks, and those that are to reserve.
type cluster struct {
	relays   []peer.AddrInfo
	security string
	network  *net.IPNet
	askers   []*holder

	mu      sync.Mutex
	next    uint32
	waiting []visitor
}

// visitor is connected to one of the relays, and has not reserved.
type visitor struct {
	*holder
	at int
}

func (c *cluster) carryOut(ctx context.Context, o convergeOrder) (fields, error) {
	switch o.Cmd {
	case "connect":
		return repeat(ctx, pace{count: o.Count, parallel: o.Parallel}, func(ctx context.Context, _ int) error { return c.connectOne(ctx) })
	case "load":
		return c.load(ctx, o)
	}
	return nil, fmt.Errorf("unknown order %q", o.Cmd)
}

// connectOne has one more visitor, at a relay by chance.
func (c *cluster) connectOne(ctx context.Context) error {
	at := rand.IntN(len(c.relays))
	h, err := c.newPeer(ctx, at)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, visitor{h, at})
	return nil
}

func (c *cluster) load(ctx context.Context, o convergeOrder) (fields, error) {
	count := int(o.PerSecond * o.Seconds)
	if count <= 0 || count > len(c.waiting) {
		return nil, fmt.Errorf("%d reservations of %d peers that are connected", count, len(c.waiting))
	}
	r := &report{failed: map[string]int{}, one: []known{}, all: [][]known{}}
	start := time.Now()
	made := c.makeAll(ctx, o, r)
	line := percentiles(r.took, made.Sub(start))
	line["failed"], line["lost"], line["one"], line["all"] = r.failed, r.lost, r.one, r.all
	return line, ctx.Err()
}

// makeAll does not wait for one before the next. It returns when the last one was to be made, after all are.
func (c *cluster) makeAll(ctx context.Context, o convergeOrder, r *report) time.Time {
	ticks := time.NewTicker(time.Duration(float64(time.Second) / o.PerSecond))
	defer ticks.Stop()
	var making sync.WaitGroup
	defer making.Wait()
	room := make(chan struct{}, maxMaking)
	for n := range int(o.PerSecond * o.Seconds) {
		select {
		case <-ctx.Done():
			return time.Now()
		case <-ticks.C:
		}
		room <- struct{}{}
		v := c.waiting[0]
		c.waiting = c.waiting[1:]
		making.Go(func() {
			ok := v.reserveNow(ctx, r)
			since := time.Now()
			<-room
			if ok {
				c.follow(ctx, o, r, n, v, since)
			}
		})
	}
	return time.Now()
}

func (v visitor) reserveNow(ctx context.Context, r *report) bool {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	start := time.Now()
	err := v.reserve(ctx)
	took := time.Since(start)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed[err.Error()]++
		return false
	}
	r.took = append(r.took, took)
	return true
}

func (c *cluster) newPeer(ctx context.Context, at int) (*holder, error) {
	h, err := newHolder()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	h.from = hostOf(c.network, c.next)
	c.next++
	c.mu.Unlock()
	return h, h.connect(ctx, c.relays[at], c.security)
}

func (c *cluster) connectAskers(ctx context.Context) error {
	for i := range c.relays {
		asker, err := c.newPeer(ctx, i)
		if err != nil {
			return err
		}
		c.askers = append(c.askers, asker)
	}
	return nil
}

// hostOf is the n-th address of a network of IPv4.
func hostOf(network *net.IPNet, n uint32) net.IP {
	ip := network.IP.To4()
	return net.IPv4(ip[0]|byte(n>>24), ip[1]|byte(n>>16), ip[2]|byte(n>>8), ip[3]|byte(n))
}
