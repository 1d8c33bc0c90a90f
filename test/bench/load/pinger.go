package main

// Round trips on one stream, and how long each takes.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// smallestPing holds the number that tells the pings of a stream apart.
const smallestPing = 8

type pinger struct {
	stream network.Stream
	number uint64
}

// echo sends back what comes, until the end.
func echo(s network.Stream) {
	_, _ = io.Copy(s, s)
	s.Close()
}

type pinged struct {
	took   []time.Duration
	atSend []time.Duration // of it, before the sender's muxer took it
	err    error
}

// oneByOne sends the next ping when the last one has come back, for so long.
func (p *pinger) oneByOne(size int, lasting time.Duration) (all pinged) {
	back := make([]byte, size)
	for end := time.Now().Add(lasting); all.err == nil && time.Now().Before(end); {
		one := p.next(size)
		if all.err = p.write(one); all.err == nil {
			all.add(one, p.await(one, back))
		}
	}
	return all
}

// paced sends a ping in every gap, whether or not the last one is back: a relay
// that holds one up does not thereby spare itself the ones that would have been
// held up with it.
func (p *pinger) paced(size int, lasting, gap time.Duration) (all pinged) {
	count := int(lasting / gap)
	sent := make(chan *ping, count)
	failed := make(chan error, 1)
	go func() {
		defer close(sent)
		failed <- p.send(size, count, gap, sent)
	}()
	back := make([]byte, size)
	for one := range sent {
		if all.add(one, p.await(one, back)); all.err != nil {
			return all
		}
	}
	all.err = <-failed
	return all
}

func (p *pinged) add(one *ping, err error) {
	p.took, p.atSend, p.err = append(p.took, one.back.Sub(one.start)), append(p.atSend, one.written.Sub(one.start)), err
}

type ping struct {
	message              []byte
	start, written, back time.Time
}

// send leaves out the pings whose time has passed while one was held up here,
// before the relay had anything to do with it.
func (p *pinger) send(size, count int, gap time.Duration, sent chan<- *ping) error {
	begin := time.Now()
	for i := 0; i < count; i = max(i+1, int(time.Since(begin)/gap)) {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * gap)))
		one := p.next(size)
		if err := p.write(one); err != nil {
			return err
		}
		sent <- one
	}
	return nil
}

func (p *pinger) write(one *ping) error {
	one.start = time.Now()
	_, err := p.stream.Write(one.message)
	one.written = time.Now()
	return err
}

func (p *pinger) next(size int) *ping {
	p.number++
	message := make([]byte, size)
	copy(message, table)
	binary.BigEndian.PutUint64(message, p.number)
	return &ping{message: message}
}

func (p *pinger) await(sent *ping, back []byte) error {
	if err := p.stream.SetReadDeadline(time.Now().Add(deadAfter)); err != nil {
		return err
	}
	if _, err := io.ReadFull(p.stream, back); err != nil {
		return fmt.Errorf("ping %d: %w", binary.BigEndian.Uint64(sent.message), err)
	}
	sent.back = time.Now()
	if !bytes.Equal(sent.message, back) {
		return errors.New("what came back is not what was sent")
	}
	return nil
}

// spread is what is told of many times.
func spread(took []time.Duration) fields {
	slices.Sort(took)
	line := fields{"count": len(took)}
	if n := len(took); n > 0 {
		line["p50Us"], line["p99Us"], line["maxUs"] = inUs(took[n/2]), inUs(took[n*99/100]), inUs(took[n-1])
	}
	return line
}

func inUs(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
