package main

// One circuit, opened by hand: what is written after the handshake is what the
// relay has to carry, with no encryption and no muxer inside.

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
)

const (
	handshakeTimeout = 30 * time.Second
	maxMessage       = 4096
)

// openCircuit asks the relay for a circuit; the stream that comes back is it.
func openCircuit(ctx context.Context, source host.Host, relay, target peer.ID) (network.Stream, error) {
	s, err := source.NewStream(ctx, relay, proto.ProtoIDv2Hop)
	if err != nil {
		return nil, fmt.Errorf("hop stream: %w", err)
	}
	if err := connectThrough(s, target); err != nil {
		s.Reset()
		return nil, fmt.Errorf("hop: %w", err)
	}
	return s, nil
}

func connectThrough(s network.Stream, target peer.ID) error {
	if err := s.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	ask := &pb.HopMessage{Type: pb.HopMessage_CONNECT.Enum(), Peer: util.PeerInfoToPeerV2(peer.AddrInfo{ID: target})}
	if err := util.NewDelimitedWriter(s).WriteMsg(ask); err != nil {
		return err
	}
	var got pb.HopMessage
	reader := util.NewDelimitedReader(s, maxMessage)
	defer reader.Close()
	if err := reader.ReadMsg(&got); err != nil {
		return err
	}
	if got.GetType() != pb.HopMessage_STATUS || got.GetStatus() != pb.Status_OK {
		return fmt.Errorf("the relay answered %s %s", got.GetType(), got.GetStatus())
	}
	// rust-libp2p's relay always names a limit; 0 bytes are none.
	if got.GetLimit().GetData() != 0 {
		return fmt.Errorf("the relay limits the circuit: %v", got.GetLimit())
	}
	return s.SetDeadline(time.Time{})
}

// acceptCircuits answers OK to every circuit that the relay offers to a target,
// and hands it on.
func acceptCircuits(target host.Host, accepted chan<- network.Stream) {
	target.SetStreamHandler(proto.ProtoIDv2Stop, func(s network.Stream) {
		if err := acceptCircuit(s); err != nil {
			s.Reset() // the source is told by the relay
			return
		}
		accepted <- s
	})
}

func acceptCircuit(s network.Stream) error {
	if err := s.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	var offer pb.StopMessage
	reader := util.NewDelimitedReader(s, maxMessage)
	defer reader.Close()
	if err := reader.ReadMsg(&offer); err != nil {
		return err
	}
	if offer.GetType() != pb.StopMessage_CONNECT {
		return fmt.Errorf("the relay sent %s", offer.GetType())
	}
	accept := &pb.StopMessage{Type: pb.StopMessage_STATUS.Enum(), Status: pb.Status_OK.Enum()}
	if err := util.NewDelimitedWriter(s).WriteMsg(accept); err != nil {
		return err
	}
	return s.SetDeadline(time.Time{})
}
