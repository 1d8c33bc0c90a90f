package main

// A reader that stops now and then, at random but always at the same places.

import (
	"io"
	"math/rand/v2"
	"time"
)

// meanRun is how much is read from one pause to the next, on average.
const meanRun = 4 << 20

type pausingReader struct {
	from   io.Reader
	random *rand.Rand
	most   time.Duration
	left   int64 // until the next pause
	pauses int
}

func newPausingReader(from io.Reader, seed, number uint64, most time.Duration) *pausingReader {
	return &pausingReader{from: from, random: rand.New(rand.NewPCG(seed, number)), most: most}
}

func (r *pausingReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		time.Sleep(time.Duration(r.random.Int64N(int64(r.most) + 1)))
		r.left = r.random.Int64N(2 * meanRun)
		r.pauses++
	}
	n, err := r.from.Read(p)
	r.left -= int64(n)
	return n, err
}
