package main

// The two ends of one circuit.

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
)

// readBuffer is larger than any frame of go's muxer.
const readBuffer = 256 << 10

type flow struct {
	source, target network.Stream
	sent, checked  position
	buffer         []byte
	received       atomic.Int64 // of the present run
	taken          atomic.Int64 // by the sender's muxer, of a flood
}

func newFlow(number int, source, target network.Stream) *flow {
	return &flow{source: source, target: target, sent: startOf(number), checked: startOf(number), buffer: make([]byte, readBuffer)}
}

// run sends so many bytes, in writes of exactly this size but for the last, and
// returns when they have arrived.
func (f *flow) run(bytes int64, write int) error {
	f.received.Store(0)
	sending := make(chan error, 1)
	go func() { sending <- f.send(bytes, write) }()
	if err := f.receive(bytes); err != nil {
		select {
		case cause := <-sending:
			return errors.Join(err, cause)
		default:
			return err
		}
	}
	return <-sending
}

func (f *flow) send(bytes int64, write int) error {
	for left := bytes; left > 0; {
		n := int(min(left, int64(write)))
		if _, err := f.source.Write(f.sent.next(n)); err != nil {
			return fmt.Errorf("write after %d of %d bytes: %w", bytes-left, bytes, err)
		}
		left -= int64(n)
	}
	return nil
}

func (f *flow) receive(bytes int64) error {
	for got := int64(0); got < bytes; {
		n, err := f.target.Read(f.buffer)
		got += int64(n)
		f.received.Store(got)
		if wrong := f.checked.check(f.buffer[:n]); wrong != nil {
			return wrong
		}
		if got > bytes {
			return fmt.Errorf("%d bytes arrived where %d were sent", got, bytes)
		}
		if err != nil && got < bytes {
			return fmt.Errorf("read after %d of %d bytes: %w", got, bytes, err)
		}
	}
	return nil
}

// finish half-closes the sending end, and expects the end of the data at the
// other and nothing before it.
func (f *flow) finish() error {
	if err := f.source.CloseWrite(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	n, err := f.target.Read(f.buffer)
	if n > 0 {
		return errors.New("more bytes arrived than were sent")
	}
	if err != io.EOF {
		return fmt.Errorf("no clean end: %w", err)
	}
	f.target.Close()
	f.source.Close()
	return nil
}
