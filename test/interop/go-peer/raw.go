package main

// The command raw: bytes of the test's own making on a stream, for what a
// well-behaved client never sends.

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	defaultRawRead = 5 * time.Second
	maxRawAnswer   = 1 << 20
)

func rawReadTime(r *request) time.Duration {
	if r.TimeoutMs == 0 {
		return defaultRawRead
	}
	return time.Duration(r.TimeoutMs) * time.Millisecond
}

// raw writes the bytes and reads until the other side ends the stream or the
// time is over. How it ended is the result, whichever it was.
func raw(ctx context.Context, h host.Host, r *request) (fields, error) {
	if r.Protocol == "" {
		return nil, errors.New("protocol: missing")
	}
	data, err := hex.DecodeString(r.Hex)
	if err != nil {
		return nil, fmt.Errorf("hex: %w", err)
	}
	return onStream(ctx, h, r, protocol.ID(r.Protocol), func(s network.Stream) (fields, error) {
		return provoke(s, data, r.CloseWrite, rawReadTime(r))
	})
}

func provoke(s network.Stream, data []byte, closeWrite bool, readTime time.Duration) (fields, error) {
	start := time.Now()
	s.SetDeadline(start.Add(readTime))
	// A failed write is no end of it: the other side may have answered before
	// it stopped reading.
	var writeErr error
	if len(data) > 0 {
		_, writeErr = s.Write(data)
	}
	if writeErr == nil && closeWrite {
		writeErr = s.CloseWrite()
	}

	got, err := io.ReadAll(io.LimitReader(s, maxRawAnswer))
	answer := fields{"hex": hex.EncodeToString(got), "ms": milliseconds(time.Since(start))}
	switch {
	case err == nil && len(got) == maxRawAnswer:
		answer["end"] = "limit" // there may be more
		s.Reset()
	case err == nil:
		answer["end"] = "eof"
	case isTimeout(err):
		answer["end"] = "timeout"
		s.Reset()
	default:
		// Also when the connection itself was lost; the detail tells.
		answer["end"] = "reset"
		answer["detail"] = err.Error()
	}
	if writeErr != nil {
		answer["writeError"] = writeErr.Error()
	}
	return answer, nil
}
