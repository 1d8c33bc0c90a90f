package main

// The libp2p hosts: go's own defaults, less what costs without moving a byte.

import (
	"crypto/tls"
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

func newHost(security libp2p.Option, more ...libp2p.Option) (host.Host, error) {
	options := []libp2p.Option{
		libp2p.Transport(tcp.NewTCPTransport),
		// The certificate of a relay under load is the benchmark's own.
		libp2p.Transport(websocket.New, websocket.WithTLSClientConfig(&tls.Config{InsecureSkipVerify: true})),
		security,
		// Nothing may be trimmed, refused or counted: neither here nor, for the
		// relay's own good, in go's relay.
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
	}
	return libp2p.New(append(options, more...)...)
}

// plainSecurity is noise or TLS as go has it.
func plainSecurity(name string) (libp2p.Option, error) {
	switch name {
	case "noise":
		return libp2p.Security(noise.ID, noise.New), nil
	case "tls":
		return libp2p.Security(libp2ptls.ID, libp2ptls.New), nil
	}
	return nil, fmt.Errorf("--security %q: neither noise nor tls", name)
}

// fullAddrs are the addresses of a host, each with its /p2p/ID.
func fullAddrs(h host.Host) []string {
	full := []string{}
	for _, a := range h.Addrs() {
		full = append(full, fmt.Sprintf("%s/p2p/%s", a, h.ID()))
	}
	return full
}
