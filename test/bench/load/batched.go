package main

// Sockets that gather what waits for them. go's yamux writes every frame by
// itself, and a noise message or TLS record a frame is one system call each:
// with small writes the load would cost more than a relay. The bytes are the
// same ones, in the same noise messages and TLS records; only the system calls
// are fewer, at both ends.

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

const (
	// What is gathered at most, for a writer; as much again may be on its way.
	gatherBytes = 128 << 10
	readAhead   = 128 << 10
)

// batchedSecurity is noise or TLS, each on batched sockets.
func batchedSecurity(name string) (libp2p.Option, error) {
	type muxers = []upgrader.StreamMuxer
	switch name {
	case "noise":
		return libp2p.Security(noise.ID, func(id protocol.ID, key crypto.PrivKey, offered muxers) (batched, error) {
			t, err := noise.New(id, key, offered)
			return batched{t}, err
		}), nil
	case "tls":
		return libp2p.Security(libp2ptls.ID, func(id protocol.ID, key crypto.PrivKey, offered muxers) (batched, error) {
			t, err := libp2ptls.New(id, key, offered)
			return batched{t}, err
		}), nil
	}
	return nil, fmt.Errorf("--security %q: neither noise nor tls", name)
}

// batched encrypts as the transport in it does.
type batched struct{ sec.SecureTransport }

func (b batched) SecureInbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return b.SecureTransport.SecureInbound(ctx, newBatchedConn(insecure), p)
}

func (b batched) SecureOutbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return b.SecureTransport.SecureOutbound(ctx, newBatchedConn(insecure), p)
}

// batchedConn has a writer of its own: while one write is under way the next
// ones gather, and with nothing under way nothing waits.
type batchedConn struct {
	net.Conn
	reader *bufio.Reader

	mutex   sync.Mutex
	changed sync.Cond // the buffer is filled, taken, or of no more use
	waiting []byte
	err     error // of the writer; net.ErrClosed after Close
}

func newBatchedConn(c net.Conn) *batchedConn {
	b := &batchedConn{Conn: c, reader: bufio.NewReaderSize(c, readAhead), waiting: make([]byte, 0, gatherBytes)}
	b.changed.L = &b.mutex
	go b.writeOn(make([]byte, 0, gatherBytes))
	return b
}

func (b *batchedConn) Read(p []byte) (int, error) { return b.reader.Read(p) }

func (b *batchedConn) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for len(b.waiting) > 0 && len(b.waiting)+len(p) > gatherBytes && b.err == nil {
		b.changed.Wait()
	}
	if b.err != nil {
		return 0, b.err
	}
	b.waiting = append(b.waiting, p...)
	b.changed.Broadcast()
	return len(p), nil
}

func (b *batchedConn) writeOn(spare []byte) {
	for {
		next := b.take(spare)
		if next == nil {
			return
		}
		_, err := b.Conn.Write(next)
		if err != nil {
			b.fail(err)
			return
		}
		spare = next[:0]
	}
}

// take waits for bytes to write, and leaves the spare buffer in their place.
// It gives none when the connection is closed and everything is written.
func (b *batchedConn) take(spare []byte) []byte {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for len(b.waiting) == 0 {
		if b.err != nil {
			return nil
		}
		b.changed.Wait()
	}
	next := b.waiting
	b.waiting = spare
	b.changed.Broadcast()
	return next
}

func (b *batchedConn) fail(err error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.err == nil {
		b.err = err
	}
	b.changed.Broadcast()
}

func (b *batchedConn) Close() error {
	b.fail(net.ErrClosed)
	return b.Conn.Close()
}
