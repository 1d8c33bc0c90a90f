package main

// What this peer answers when another one opens a stream to it.

import (
	"encoding/binary"
	"io"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	echoProtocol = protocol.ID("/relayd-test/echo/1.0.0")
	sinkProtocol = protocol.ID("/relayd-test/sink/1.0.0")

	copyBuffer = 64 << 10
)

// registerHandlers adds the two test protocols to ping and identify, which the
// host brings along. Nothing has to be said about limited connections: go asks
// for consent only when a stream is opened over one, never when it arrives.
func registerHandlers(h host.Host) {
	h.SetStreamHandler(echoProtocol, answerEcho)
	h.SetStreamHandler(sinkProtocol, answerSink)
}

// answerEcho sends back what arrives and half-closes after the other side did.
func answerEcho(s network.Stream) {
	if _, err := io.CopyBuffer(s, s, make([]byte, copyBuffer)); err != nil {
		s.Reset()
		return
	}
	s.Close()
}

// answerSink counts what arrives and answers with the count when the other side
// has half-closed.
func answerSink(s network.Stream) {
	var count uint64
	buffer := make([]byte, copyBuffer) // io.Discard would read by 8 KiB
	for {
		n, err := s.Read(buffer)
		count += uint64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			s.Reset()
			return
		}
	}
	if _, err := s.Write(binary.BigEndian.AppendUint64(nil, count)); err != nil {
		s.Reset()
		return
	}
	s.Close()
}
