package main

// The commands which send data: echo, send.

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// echo sends pseudo-random bytes and compares what comes back while sending, so
// that the size may exceed every buffer on the way.
func echo(ctx context.Context, h host.Host, r *request) (fields, error) {
	return onStream(ctx, h, r, echoProtocol, func(s network.Stream) (fields, error) {
		return exchange(s, r.Bytes)
	})
}

func exchange(s network.Stream, size int64) (fields, error) {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], rand.Uint64())
	start := time.Now()

	var sent int64 // read after the result of the writer has arrived
	written := make(chan error, 1)
	go func() {
		var err error
		sent, err = io.CopyBuffer(plainWriter{s}, io.LimitReader(rand.NewChaCha8(seed), size), make([]byte, copyBuffer))
		if err == nil {
			err = s.CloseWrite()
		}
		written <- err
	}()

	received, match, readErr := compare(s, rand.NewChaCha8(seed), size)
	if readErr != nil {
		s.Reset() // let the writer end
	}
	writeErr := <-written
	answer := fields{
		"bytes": received,
		"sent":  sent,
		"match": match && received == size,
		"ms":    milliseconds(time.Since(start)),
	}
	if readErr != nil {
		return answer, fmt.Errorf("read: %w", readErr)
	}
	if writeErr != nil {
		return answer, fmt.Errorf("write: %w", writeErr)
	}
	if received != size {
		return answer, fmt.Errorf("the other side closed after %d of %d bytes", received, size)
	}
	return answer, nil
}

// compare reads to the end, against the same random bytes drawn once more.
func compare(in io.Reader, expected io.Reader, size int64) (received int64, match bool, err error) {
	got, want := make([]byte, copyBuffer), make([]byte, copyBuffer)
	match = true
	for {
		n, err := in.Read(got)
		if n > 0 {
			io.ReadFull(expected, want[:n])
			match = match && bytes.Equal(got[:n], want[:n])
			received += int64(n)
		}
		if err == io.EOF {
			return received, match, nil
		}
		if err != nil {
			return received, match, err
		}
		if received > size {
			return received, false, errors.New("more came back than was sent")
		}
	}
}

// send measures one direction: only the count comes back.
func send(ctx context.Context, h host.Host, r *request) (fields, error) {
	chunk := r.Chunk
	if chunk == 0 {
		chunk = copyBuffer
	}
	return onStream(ctx, h, r, sinkProtocol, func(s network.Stream) (fields, error) {
		return pour(s, r.Bytes, chunk)
	})
}

func pour(s network.Stream, size int64, chunkSize int) (fields, error) {
	chunk := make([]byte, chunkSize)
	rand.NewChaCha8([32]byte{}).Read(chunk)
	start := time.Now()
	var sent int64
	for sent < size {
		n, err := s.Write(chunk[:min(int64(chunkSize), size-sent)])
		sent += int64(n)
		if err != nil {
			return fields{"sent": sent, "ms": milliseconds(time.Since(start))}, fmt.Errorf("write: %w", err)
		}
	}
	if err := s.CloseWrite(); err != nil {
		return fields{"sent": sent}, fmt.Errorf("close: %w", err)
	}
	var count [8]byte
	if _, err := io.ReadFull(s, count[:]); err != nil {
		return fields{"sent": sent, "ms": milliseconds(time.Since(start))}, fmt.Errorf("read the count: %w", err)
	}
	took := time.Since(start)
	acknowledged := binary.BigEndian.Uint64(count[:])
	answer := fields{
		"acknowledged": acknowledged,
		"ms":           milliseconds(took),
		"mibPerSecond": float64(acknowledged) / (1 << 20) / took.Seconds(),
	}
	if acknowledged != uint64(size) {
		return answer, fmt.Errorf("sent %d bytes, the other side counted %d", size, acknowledged)
	}
	return answer, nil
}

func openStream(ctx context.Context, h host.Host, r *request, p protocol.ID) (network.Stream, error) {
	id, err := peerOf(r)
	if err != nil {
		return nil, err
	}
	s, err := h.NewStream(overOpenConnection(ctx), id, p)
	if err != nil {
		return nil, fmt.Errorf("open the stream: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		s.SetDeadline(deadline)
	}
	return s, nil
}

// onStream opens a stream, runs the work on it and ends it: by a close if the
// work was done, by a reset (so that the other side hears of it) if not.
func onStream(ctx context.Context, h host.Host, r *request, p protocol.ID, work func(network.Stream) (fields, error)) (fields, error) {
	s, err := openStream(ctx, h, r, p)
	if err != nil {
		return nil, err
	}
	answer, err := work(s)
	if err != nil {
		s.Reset()
		return answer, err
	}
	s.Close()
	return answer, nil
}

// plainWriter hides everything but Write, so that io.CopyBuffer uses the buffer
// it is given.
type plainWriter struct{ io.Writer }
