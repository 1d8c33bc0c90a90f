package main

// The JSON lines: reading commands, running them side by side, answering each.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
)

const (
	defaultDeadline = 20 * time.Second
	// answerGrace is what a command gets after its deadline to say how far it
	// came. After that it is answered for: some go-libp2p calls, client.Reserve
	// among them, do not watch their context while they read.
	answerGrace = time.Second
	// drainLimit is what running commands get when stdin has closed, so that
	// a few commands piped in from a shell are still answered.
	drainLimit = 2 * time.Second
	// maxLine leaves room for "raw" with a few megabytes of hex.
	maxLine = 16 << 20
)

// fields are the members of an answer.
type fields map[string]any

// request is the union of what the commands take.
type request struct {
	ID        json.RawMessage `json:"id"`
	Cmd       string          `json:"cmd"`
	TimeoutMs int             `json:"timeoutMs"`

	Relay       string `json:"relay"`
	Addr        string `json:"addr"`
	Peer        string `json:"peer"`
	Protocol    string `json:"protocol"`
	Key         string `json:"key"`
	Hex         string `json:"hex"`
	CloseWrite  bool   `json:"closeWrite"`
	Count       int    `json:"count"`
	Bytes       int64  `json:"bytes"`
	Chunk       int    `json:"chunk"`
	WaitCircuit bool   `json:"waitCircuit"`
}

// command runs one request. Fields which come with an error are part of the
// answer too: how far it came, which status the relay gave.
type command func(ctx context.Context, h host.Host, r *request) (fields, error)

var commands = map[string]command{
	"reserve":      reserve,
	"connect":      connect,
	"disconnect":   disconnect,
	"connections":  connections,
	"addrs":        addrs,
	"protocols":    protocols,
	"ping":         pingPeer,
	"echo":         echo,
	"send":         send,
	"raw":          raw,
	"reachability": reachability,
	"provide":      provide,
	"providers":    providers,
	"dhtPeers":     dhtPeers,
}

// lineWriter writes one JSON value per line, whole lines only.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func newLineWriter(w io.Writer) *lineWriter { return &lineWriter{w: w} }

func (l *lineWriter) write(value fields) {
	line, err := json.Marshal(value)
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-peer: answer:", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.Write(append(line, '\n'))
}

// serveCommands returns when stdin closes or ctx ends.
func serveCommands(ctx context.Context, h host.Host, in io.Reader, out *lineWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var running sync.WaitGroup
	closed := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 64<<10), maxLine)
		for lines.Scan() {
			line := bytes.Clone(bytes.TrimSpace(lines.Bytes()))
			if len(line) == 0 {
				continue
			}
			running.Go(func() { out.write(answer(ctx, h, line)) })
		}
		closed <- lines.Err()
	}()

	select {
	case <-ctx.Done():
		return nil
	case err := <-closed:
		drained := make(chan struct{})
		go func() {
			running.Wait()
			close(drained)
		}()
		select {
		case <-drained:
		case <-ctx.Done():
		case <-time.After(drainLimit):
		}
		return err
	}
}

// answer runs one line and gives its one answer.
func answer(ctx context.Context, h host.Host, line []byte) fields {
	r, run, err := parse(line)
	if err != nil {
		return outcome(r.ID, nil, err)
	}
	deadline := defaultDeadline
	if r.TimeoutMs > 0 {
		deadline = time.Duration(r.TimeoutMs) * time.Millisecond
	}
	if r.Cmd == "raw" {
		// Its timeoutMs is how long it reads, and running out of that is a
		// result. Opening the stream comes on top.
		deadline = rawReadTime(r) + defaultDeadline
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()

	type result struct {
		answer fields
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := run(ctx, h, r)
		done <- result{answer, err}
	}()
	select {
	case got := <-done:
		return outcome(r.ID, got.answer, got.err)
	case <-time.After(deadline + answerGrace):
		return outcome(r.ID, fields{"timeout": true}, fmt.Errorf("no result within %s", deadline))
	}
}

func parse(line []byte) (*request, command, error) {
	// The id first and by itself, so that a command which is refused can still
	// be answered by its id.
	var head struct {
		ID json.RawMessage `json:"id"`
	}
	json.Unmarshal(line, &head)
	r := &request{ID: head.ID}

	// A misspelt member would otherwise silently run with its default.
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return r, nil, fmt.Errorf("malformed command: %w", err)
	}
	if decoder.More() {
		return r, nil, errors.New("malformed command: more than one value on the line")
	}
	if r.TimeoutMs < 0 || r.Count < 0 || r.Bytes < 0 || r.Chunk < 0 {
		return r, nil, errors.New("malformed command: a negative number")
	}
	run, ok := commands[r.Cmd]
	if !ok {
		return r, nil, fmt.Errorf("unknown command %q", r.Cmd)
	}
	return r, run, nil
}

func outcome(id json.RawMessage, answer fields, err error) fields {
	if answer == nil {
		answer = fields{}
	}
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	answer["id"] = id
	answer["ok"] = err == nil
	if err != nil {
		answer["error"] = err.Error()
		if isTimeout(err) {
			answer["timeout"] = true
		}
	}
	return answer
}

// isTimeout knows a deadline by its method: contexts, sockets and the stream
// muxer each have an error of their own for it.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// milliseconds with fractions: on loopback most things take less than one.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
