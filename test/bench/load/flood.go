package main

// Circuits that are sent through without a pause, until it is enough. Whether
// anybody reads at the far end is another question.

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	// drainTimeout is how long what is still under way may take to arrive.
	drainTimeout = 60 * time.Second
	// unlimitedFlood ends when it is told to, and not before.
	unlimitedFlood = math.MaxInt64
)

type flood struct {
	flows  []*flow
	read   chan struct{} // closed: the receivers read
	stop   chan struct{} // closed: the senders stop
	failed chan error    // one of each circuit
}

// newFlood sends through every circuit, in writes of this size and at most so
// many bytes each. Nobody reads yet.
func newFlood(flows []*flow, write int, limit int64) (*flood, error) {
	if write < 1 || write > maxWrite {
		return nil, fmt.Errorf("write: 1 to %d bytes", maxWrite)
	}
	f := &flood{flows: flows, read: make(chan struct{}), stop: make(chan struct{}), failed: make(chan error, len(flows))}
	for i, one := range flows {
		go func() {
			err := one.flood(write, limit, f.read, f.stop)
			if err != nil {
				err = fmt.Errorf("circuit %d of %d: %w", i+1, len(flows), err)
			}
			f.failed <- err
		}()
	}
	return f, nil
}

func (f *flood) startReading() { close(f.read) }

// end stops the senders and waits until everything they sent has arrived.
func (f *flood) end() error {
	close(f.stop)
	late := time.After(drainTimeout)
	for range f.flows {
		select {
		case err := <-f.failed:
			if err != nil {
				return err
			}
		case <-late:
			return fmt.Errorf("what was sent has not arrived in %s", drainTimeout)
		}
	}
	return nil
}

func (f *flood) received() int64 { return received(f.flows) }

// taken is what the senders are rid of.
func (f *flood) taken() int64 {
	var sum int64
	for _, one := range f.flows {
		sum += one.taken.Load()
	}
	return sum
}

func received(flows []*flow) int64 {
	var sum int64
	for _, f := range flows {
		sum += f.received.Load()
	}
	return sum
}

// flood ends with half-closes: the circuit is of no use after it.
func (f *flow) flood(write int, limit int64, read, stop <-chan struct{}) error {
	sending, receiving := make(chan error, 1), make(chan error, 1)
	go func() { sending <- f.sendUntil(stop, write, limit) }()
	go func() {
		<-read
		receiving <- f.receiveAll(f.target)
	}()
	err := errors.Join(<-sending, <-receiving, f.complete())
	f.source.Close()
	f.target.Close()
	return err
}

func (f *flow) sendUntil(stop <-chan struct{}, write int, limit int64) error {
	for f.taken.Load() < limit {
		select {
		case <-stop:
			return f.source.CloseWrite()
		default:
		}
		if _, err := f.source.Write(f.sent.next(write)); err != nil {
			f.target.Reset() // nobody else would tell the receiver
			return fmt.Errorf("write: %w", err)
		}
		f.taken.Add(int64(write))
	}
	<-stop
	return f.source.CloseWrite()
}

// receiveAll reads and checks to the end of the data.
func (f *flow) receiveAll(from io.Reader) error {
	for {
		n, err := from.Read(f.buffer)
		f.received.Add(int64(n))
		if wrong := f.checked.check(f.buffer[:n]); wrong != nil {
			f.source.Reset()
			return wrong
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			f.source.Reset()
			return fmt.Errorf("read: %w", err)
		}
	}
}

// complete fails unless all that was sent has arrived.
func (f *flow) complete() error {
	if f.checked != f.sent {
		return fmt.Errorf("%d bytes are missing at the end", f.sent-f.checked)
	}
	return nil
}
