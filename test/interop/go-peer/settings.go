package main

// Which peer is wanted: the flags.

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	modeClient    = "client"
	modeRelay     = "relay"
	modeAutorelay = "autorelay"

	securityNoise = "noise"
	securityTLS   = "tls"
	securityBoth  = "both"
)

type settings struct {
	mode             string
	security         string
	listen           []ma.Multiaddr
	seed             *uint64 // nil: a random identity
	metricsAddr      string  // empty: no metrics
	holePunching     bool
	noResourceLimits bool
	anyNetwork       bool
	autonat          bool
	dht              string // its protocol; empty: none
	dhtClient        bool

	relays           []ma.Multiaddr
	bootDelay        time.Duration
	backoff          time.Duration
	minInterval      time.Duration
	loopbackAsPublic bool

	relayResources relayv2.Resources
	relayUnlimited bool
}

// multiaddrs is a flag which may be given several times.
type multiaddrs struct{ list *[]ma.Multiaddr }

func (m multiaddrs) String() string {
	if m.list == nil {
		return ""
	}
	texts := make([]string, 0, len(*m.list))
	for _, a := range *m.list {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, " ")
}

func (m multiaddrs) Set(text string) error {
	a, err := ma.NewMultiaddr(text)
	if err != nil {
		return err
	}
	*m.list = append(*m.list, a)
	return nil
}

func parseSettings(args []string) (*settings, error) {
	s := &settings{relayResources: relayv2.DefaultResources()}
	limit := s.relayResources.Limit

	f := flag.NewFlagSet("go-peer", flag.ContinueOnError)
	f.Var(multiaddrs{&s.listen}, "listen", "listen on this `ADDR`, e.g. /ip4/127.0.0.1/tcp/0; repeatable (default none: a pure client)")
	seed := f.Uint64("seed", 0, "derive the ed25519 identity from this integer `N` (default a random identity)")
	f.StringVar(&s.security, "security", securityBoth, "noise, tls, or both in go's default order (tls first)")
	f.StringVar(&s.mode, "mode", modeClient, "client, relay or autorelay")
	f.StringVar(&s.metricsAddr, "metrics", "", "serve prometheus metrics at http://`ADDR`/metrics, e.g. 127.0.0.1:0")
	f.BoolVar(&s.holePunching, "hole-punching", false, "enable DCUtR")
	f.BoolVar(&s.noResourceLimits, "no-resource-limits", false, "run without go's resource manager, for load which would run into its default limits")
	f.BoolVar(&s.autonat, "autonat", false, "AutoNAT v2: serve it, and be able to ask; private addresses too")
	f.BoolVar(&s.anyNetwork, "any-network", false, "also dial and accept addresses which are not loopback")

	f.StringVar(&s.dht, "dht", "", "join the Kademlia DHT of this `PROTOCOL`, e.g. /relayd-test/kad/1.0.0, as a server")
	f.BoolVar(&s.dhtClient, "dht-client", false, "only ask in the DHT")

	f.Var(multiaddrs{&s.relays}, "relay", "autorelay: static relay `ADDR` with /p2p/; repeatable")
	f.DurationVar(&s.bootDelay, "autorelay-boot-delay", 0, "autorelay: WithBootDelay (go's default 3m)")
	f.DurationVar(&s.backoff, "autorelay-backoff", 2*time.Second, "autorelay: WithBackoff after a refused reservation (go's default 1h)")
	f.DurationVar(&s.minInterval, "autorelay-min-interval", time.Second, "autorelay: WithMinInterval between looks for relays (go's default 30s)")
	f.BoolVar(&s.loopbackAsPublic, "loopback-as-public", true, "autorelay and hole punching: let go take 127.0.0.0/8 for public; with =false autorelay announces no loopback address")

	f.DurationVar(&s.relayResources.ReservationTTL, "relay-ttl", s.relayResources.ReservationTTL, "relay: life of a reservation")
	f.DurationVar(&limit.Duration, "relay-limit-duration", limit.Duration, "relay: life of a circuit")
	f.Int64Var(&limit.Data, "relay-limit-data", limit.Data, "relay: `BYTES` of a circuit in each direction")
	f.BoolVar(&s.relayUnlimited, "relay-unlimited", false, "relay: no limit of a circuit (WithInfiniteLimits)")
	f.IntVar(&s.relayResources.MaxReservations, "relay-max-reservations", s.relayResources.MaxReservations, "relay: reservations in all")
	f.IntVar(&s.relayResources.MaxCircuits, "relay-max-circuits", s.relayResources.MaxCircuits, "relay: circuits of one peer")
	f.IntVar(&s.relayResources.BufferSize, "relay-buffer", s.relayResources.BufferSize, "relay: `BYTES` of the copy buffer of each direction")

	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	// 0 is a valid seed, so "was it given" cannot be read from the value.
	f.Visit(func(given *flag.Flag) {
		if given.Name == "seed" {
			s.seed = seed
		}
	})
	return s, s.check()
}

func (s *settings) check() error {
	switch s.mode {
	case modeClient, modeRelay, modeAutorelay:
	default:
		return fmt.Errorf("unknown mode %q", s.mode)
	}
	switch s.security {
	case securityNoise, securityTLS, securityBoth:
	default:
		return fmt.Errorf("unknown security %q", s.security)
	}
	if s.mode == modeAutorelay && len(s.relays) == 0 {
		return errors.New("mode autorelay needs --relay")
	}
	if s.mode != modeAutorelay && len(s.relays) > 0 {
		return errors.New("--relay belongs to mode autorelay; a client names its relay in the command reserve")
	}
	if s.mode == modeRelay && s.relayResources.BufferSize < 1 {
		return errors.New("--relay-buffer must be positive")
	}
	if !s.anyNetwork {
		for _, a := range s.listen {
			if !staysOnLoopback(a) {
				return fmt.Errorf("%s is not a loopback address", a)
			}
		}
		if s.metricsAddr != "" && !isLoopbackHostPort(s.metricsAddr) {
			return fmt.Errorf("%s is not a loopback address", s.metricsAddr)
		}
	}
	return nil
}
