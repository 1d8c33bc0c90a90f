package main

// Doing the same thing many times, and how long each took.

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type pace struct {
	count    int
	parallel int
	// gap is the rest after each, in each of the parallel ones.
	gap time.Duration
}

// repeat ends at the first failure.
func repeat(ctx context.Context, p pace, work func(ctx context.Context, i int) error) (fields, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	start := time.Now()
	took := make([]time.Duration, p.count)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range max(1, p.parallel) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < p.count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := timed(ctx, &took[i], func(ctx context.Context) error { return work(ctx, i) }); err != nil {
					fail(err)
				}
				time.Sleep(p.gap)
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return percentiles(took, time.Since(start)), nil
}

func timed(ctx context.Context, took *time.Duration, work func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	start := time.Now()
	err := work(ctx)
	*took = time.Since(start)
	return err
}

func percentiles(took []time.Duration, all time.Duration) fields {
	slices.Sort(took)
	line := fields{"count": len(took), "seconds": all.Seconds()}
	if n := len(took); n > 0 {
		line["p50Ms"], line["p99Ms"], line["maxMs"] = inMs(took[n/2]), inMs(took[min(n-1, n*99/100)]), inMs(took[n-1])
	}
	return line
}

func inMs(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
