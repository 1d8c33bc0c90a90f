package main

// The bytes that travel: each end knows what must stand at every position.

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

const (
	// A prime: no frame, record, window or write is a multiple of it, so bytes
	// that moved by any such length do not match.
	period = 65521
	// The largest write, which must lie in the table in one piece.
	maxWrite = 1 << 17
)

// table repeats the period until every position of it is followed by maxWrite
// bytes. It stays in the processor's cache, so that checking costs little.
var table = makeTable()

func makeTable() []byte {
	var seed [32]byte
	random := rand.NewChaCha8(seed)
	t := make([]byte, period+maxWrite)
	_, _ = random.Read(t[:period]) // it never fails
	for i := period; i < len(t); i++ {
		t[i] = t[i-period]
	}
	return t
}

// position is a place in the endless pattern of one circuit.
type position int64

// startOf differs from circuit to circuit: bytes that end up on the wrong one
// do not match.
func startOf(circuit int) position { return position(circuit * 997) }

// next are the following n <= maxWrite bytes.
func (p *position) next(n int) []byte {
	at := int(*p % period)
	*p += position(n)
	return table[at : at+n]
}

// check compares what came with what had to come.
func (p *position) check(got []byte) error {
	for len(got) > 0 {
		n := min(len(got), maxWrite)
		start := *p
		if want := p.next(n); !bytes.Equal(got[:n], want) {
			return fmt.Errorf("wrong byte at %d of the circuit", int(start)+firstDifference(got[:n], want))
		}
		got = got[n:]
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
