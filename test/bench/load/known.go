package main

// Asking relays of a cluster for a peer, until they know where it is reserved.

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
)

// lostAfter is when a relay that still does not know a reservation is asked no more.
const lostAfter = 20 * time.Second

// known is how soon a relay was seen to know a reservation.
type known struct {
	// AfterMs is from the OK of the RESERVE to the answer of the CONNECT that was let through.
	AfterMs float64 `json:"afterMs"`
	// WithinMs is how much sooner it may have been: since the last CONNECT that was refused was sent.
	WithinMs float64 `json:"withinMs"`
}

// report is what came of a load; its maker is many goroutines.
type report struct {
	mu     sync.Mutex
	took   []time.Duration
	failed map[string]int
	// lost are those that a relay did not know in time.
	lost int
	one  []known
	all  [][]known
}

// follow asks other relays for v, the n-th that reserved, since then.
func (c *cluster) follow(ctx context.Context, o convergeOrder, r *report, n int, v visitor, since time.Time) {
	ask := func(relay int) (known, error) {
		return askUntilKnown(ctx, c.askers[relay], v.id, since, milliseconds(o.PollMs))
	}
	switch {
	case isTurn(n, o.AllIn):
		r.addAll(askAll(len(c.relays), v.at, ask))
	case isTurn(n, o.OneIn):
		one, err := ask((v.at + 1 + rand.IntN(len(c.relays)-1)) % len(c.relays))
		if r.count(err) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.one = append(r.one, one)
		}
	}
}

func isTurn(n, in int) bool { return in > 0 && n%in == 0 }

func askAll(relays, but int, ask func(relay int) (known, error)) ([]known, []error) {
	all, errs := make([]known, relays), make([]error, relays)
	var asking sync.WaitGroup
	for i := range relays {
		if i != but {
			asking.Go(func() { all[i], errs[i] = ask(i) })
		}
	}
	asking.Wait()
	return append(all[:but], all[but+1:]...), errs
}

func (r *report) addAll(all []known, errs []error) {
	for _, err := range errs {
		if !r.count(err) {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, all)
}

// count tells whether all went well, and takes down what did not.
func (r *report) count(err error) bool {
	if err == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, refusal(circuit.Status_NO_RESERVATION)) {
		r.lost++
	} else {
		r.failed[err.Error()]++
	}
	return false
}

// askUntilKnown tries to open a circuit, every so often, until the relay does not say any more that there is no reservation.
func askUntilKnown(ctx context.Context, asker *holder, target peer.ID, since time.Time, every time.Duration) (known, error) {
	ctx, cancel := context.WithDeadline(ctx, since.Add(lostAfter))
	defer cancel()
	unknownAt := since
	for {
		asked := time.Now()
		stream, err := asker.openTo(ctx, target)
		answered := time.Now()
		if err == nil {
			return known{AfterMs: inMs(answered.Sub(since)), WithinMs: inMs(answered.Sub(unknownAt))}, stream.Reset()
		}
		if !errors.Is(err, refusal(circuit.Status_NO_RESERVATION)) || answered.After(since.Add(lostAfter)) {
			return known{}, err
		}
		unknownAt = asked
		time.Sleep(time.Until(asked.Add(every)))
	}
}
