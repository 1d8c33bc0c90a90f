package main

// A peer that does no more than hold: it has an identity, a TCP connection and a
// reservation of its own, and answers what a relay asks of it (identify, ping,
// STOP). It is not a libp2p host, so that ten thousand fit into one process.

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	identify "github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	mss "github.com/multiformats/go-multistream"
)

const (
	idProtocol   = "/ipfs/id/1.0.0"
	pingProtocol = "/ipfs/ping/1.0.0"
	// maxSaid is more than identify, or a relay, has to say.
	maxSaid = 64 << 10
)

var (
	holderMuxers = []tptu.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	unlimited    = &network.NullResourceManager{}
	// What a peer behind a NAT tells of itself, as far as size goes.
	holderAddrs = []ma.Multiaddr{
		ma.StringCast("/ip4/192.168.1.17/tcp/4001"),
		ma.StringCast("/ip4/198.51.100.17/tcp/4001"),
		ma.StringCast("/ip4/192.168.1.17/udp/4001/quic-v1"),
	}
	holderProtocols = newHolderProtocols()
)

type holder struct {
	key  crypto.PrivKey
	id   peer.ID
	conn transport.CapableConn
	// from is the address that it dials from, where it matters.
	from net.IP
}

// refusal is what a relay answers in place of OK.
type refusal circuit.Status

func (r refusal) Error() string { return "the relay answered " + circuit.Status(r).String() }

func newHolderProtocols() *mss.MultistreamMuxer[protocol.ID] {
	m := mss.NewMultistreamMuxer[protocol.ID]()
	for _, id := range []protocol.ID{idProtocol, pingProtocol, proto.ProtoIDv2Stop} {
		m.AddHandler(id, nil)
	}
	return m
}

func newHolder() (*holder, error) {
	key, public, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPublicKey(public)
	return &holder{key: key, id: id}, err
}

// connect dials the relay and asks it who it is, as a libp2p host does.
func (h *holder) connect(ctx context.Context, relay peer.AddrInfo, security string) error {
	secure, err := h.security(security)
	if err != nil {
		return err
	}
	upgrader, err := tptu.New([]sec.SecureTransport{secure}, holderMuxers, nil, unlimited, nil)
	if err != nil {
		return err
	}
	dialer, err := tcp.NewTCPTransport(upgrader, unlimited, nil, h.dialing())
	if err != nil {
		return err
	}
	if h.conn, err = dialer.Dial(ctx, relay.Addrs[0], relay.ID); err != nil {
		return err
	}
	go h.accept()
	return h.identify(ctx)
}

func (h *holder) dialing() tcp.Option {
	if h.from == nil {
		return tcp.DisableReuseport()
	}
	own := &net.Dialer{LocalAddr: &net.TCPAddr{IP: h.from}}
	return tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) { return own, nil })
}

func (h *holder) security(name string) (sec.SecureTransport, error) {
	switch name {
	case "noise":
		return noise.New(noise.ID, h.key, holderMuxers)
	case "tls":
		return libp2ptls.New(libp2ptls.ID, h.key, holderMuxers)
	}
	return nil, fmt.Errorf("no security is called %q", name)
}

func (h *holder) open(ctx context.Context, id protocol.ID) (network.MuxedStream, error) {
	stream, err := h.conn.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	deadline, ok := ctx.Deadline()
	if ok {
		stream.SetDeadline(deadline)
	}
	if err := mss.SelectProtoOrFail(id, stream); err != nil {
		stream.Reset()
		return nil, err
	}
	return stream, nil
}

func (h *holder) identify(ctx context.Context) error {
	stream, err := h.open(ctx, idProtocol)
	if err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	defer stream.Close()
	var message identify.Identify
	reader := util.NewDelimitedReader(stream, maxSaid)
	defer reader.Close()
	if err := reader.ReadMsg(&message); err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	if !slices.Contains(message.Protocols, string(proto.ProtoIDv2Hop)) {
		return errors.New("identify: this is no relay")
	}
	return nil
}

func (h *holder) reserve(ctx context.Context) error {
	stream, err := h.open(ctx, proto.ProtoIDv2Hop)
	if err != nil {
		return fmt.Errorf("reserve: %w", err)
	}
	defer stream.Close()
	return askHop(stream, &circuit.HopMessage{Type: circuit.HopMessage_RESERVE.Enum()})
}

// openTo opens a circuit to target.
func (h *holder) openTo(ctx context.Context, target peer.ID) (network.MuxedStream, error) {
	stream, err := h.open(ctx, proto.ProtoIDv2Hop)
	if err != nil {
		return nil, err
	}
	message := &circuit.HopMessage{Type: circuit.HopMessage_CONNECT.Enum(), Peer: &circuit.Peer{Id: []byte(target)}}
	if err := askHop(stream, message); err != nil {
		stream.Reset()
		return nil, err
	}
	return stream, nil
}

func askHop(stream network.MuxedStream, message *circuit.HopMessage) error {
	reader := util.NewDelimitedReader(stream, maxSaid)
	defer reader.Close()
	if err := util.NewDelimitedWriter(stream).WriteMsg(message); err != nil {
		return err
	}
	var answer circuit.HopMessage
	if err := reader.ReadMsg(&answer); err != nil {
		return err
	}
	if answer.GetStatus() != circuit.Status_OK {
		return refusal(answer.GetStatus())
	}
	return nil
}

func (h *holder) accept() {
	for {
		stream, err := h.conn.AcceptStream()
		if err != nil {
			return
		}
		go h.serve(stream)
	}
}

func (h *holder) serve(stream network.MuxedStream) {
	defer stream.Close()
	id, _, err := holderProtocols.Negotiate(stream)
	if err != nil {
		stream.Reset()
		return
	}
	switch id {
	case idProtocol:
		h.tell(stream)
	case pingProtocol:
		io.Copy(stream, stream)
	case proto.ProtoIDv2Stop:
		takeStop(stream)
	}
}

func (h *holder) tell(stream network.MuxedStream) {
	public, err := crypto.MarshalPublicKey(h.key.GetPublic())
	if err != nil {
		return
	}
	addrs := make([][]byte, len(holderAddrs))
	for i, addr := range holderAddrs {
		addrs[i] = addr.Bytes()
	}
	envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: h.id, Addrs: holderAddrs}), h.key)
	if err != nil {
		return
	}
	signed, err := envelope.Marshal()
	if err != nil {
		return
	}
	version, name := "ipfs/0.1.0", "load/go-libp2p"
	util.NewDelimitedWriter(stream).WriteMsg(&identify.Identify{
		ProtocolVersion:  &version,
		AgentVersion:     &name,
		PublicKey:        public,
		ListenAddrs:      addrs,
		ObservedAddr:     h.conn.RemoteMultiaddr().Bytes(),
		Protocols:        []string{idProtocol, "/ipfs/id/push/1.0.0", pingProtocol, string(proto.ProtoIDv2Stop)},
		SignedPeerRecord: signed,
	})
}

func takeStop(stream network.MuxedStream) {
	reader := util.NewDelimitedReader(stream, maxSaid)
	var message circuit.StopMessage
	if err := reader.ReadMsg(&message); err != nil {
		stream.Reset()
		return
	}
	reader.Close()
	answer := &circuit.StopMessage{Type: circuit.StopMessage_STATUS.Enum(), Status: circuit.Status_OK.Enum()}
	if err := util.NewDelimitedWriter(stream).WriteMsg(answer); err != nil {
		stream.Reset()
		return
	}
	io.Copy(stream, stream) // an echo, for those that want to see that the circuit works
}
