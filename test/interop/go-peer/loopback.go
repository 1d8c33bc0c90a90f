package main

// What "loopback only" means here, and how go is made to live with it.

import (
	"net"
	"slices"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// loopbackGater keeps the peer off every real network. Without it one address
// learned by identify would be enough to make a test talk to the outside.
type loopbackGater struct{}

func (loopbackGater) InterceptPeerDial(peer.ID) bool { return true }

func (loopbackGater) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	return staysOnLoopback(a)
}

func (loopbackGater) InterceptAccept(c network.ConnMultiaddrs) bool {
	return staysOnLoopback(c.RemoteMultiaddr())
}

func (loopbackGater) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (loopbackGater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) {
	return true, 0
}

// staysOnLoopback looks at the first part only: for a circuit address that is
// the way to the relay, the one dial this host makes itself. An address which
// starts with /p2p/ (a relay without transport address) leads to a connection
// which was gated when it was made.
func staysOnLoopback(a ma.Multiaddr) bool {
	first, _ := ma.SplitFirst(a)
	if first == nil {
		return false
	}
	switch first.Protocol().Code {
	case ma.P_P2P, ma.P_CIRCUIT:
		return true
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		return first.Value() == "localhost"
	}
	return manet.IsIPLoopback(a)
}

func isLoopbackHostPort(hostPort string) bool {
	name, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip := net.ParseIP(name)
	return name == "localhost" || (ip != nil && ip.IsLoopback())
}

// treatLoopbackAsPublic takes 127.0.0.0/8 out of go-multiaddr's table of
// private networks, for this whole process.
//
// Autorelay needs it: it builds the circuit addresses it announces from the
// relay's addresses in the peerstore (not from those in the reservation), and
// drops every one which is not public. With a relay on loopback it would hold a
// reservation and announce nothing. Hole punching likewise never starts without
// a public address of its own. Everything else of the code under test stays as
// it is. IPv6 has no such table to edit (only 2000::/3 counts as public), so
// this works for IPv4 alone.
//
// Call it before the host is built: the table is read without a lock.
func treatLoopbackAsPublic() {
	loopback := net.IPv4(127, 0, 0, 1)
	manet.Private4 = slices.DeleteFunc(slices.Clone(manet.Private4), func(n *net.IPNet) bool {
		return n.Contains(loopback)
	})
}
