// Command go-peer is a go-libp2p peer which a test drives by JSON lines.
//
// It exists so that the relay daemon of this project is judged by an
// implementation of circuit relay v2 which is not our own: go-libp2p's client,
// autorelay and (for comparison) relay service. See README.md for the commands.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
)

// closeLimit bounds how long the host may take to close. A test which ends a
// peer wants it gone; what the host still has open then dies with the process.
const closeLimit = 3 * time.Second

func main() {
	settings, err := parseSettings(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(2)
	}
	if err := run(settings); err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(1)
	}
}

func run(settings *settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	metrics, err := startMetrics(settings.metricsAddr)
	if err != nil {
		return err
	}
	h, err := newHost(settings, metrics)
	if err != nil {
		return err
	}
	defer closeHost(h)
	registerHandlers(h)
	if err := joinDHT(ctx, h, settings); err != nil {
		return err
	}
	if err := startAutonat(h, settings); err != nil {
		return err
	}
	if settings.mode == modeRelay {
		if err := waitForRelayService(ctx, h); err != nil {
			return err
		}
	}

	out := newLineWriter(os.Stdout)
	ready := fields{
		"event":    "ready",
		"peerId":   h.ID().String(),
		"addrs":    fullAddrs(h),
		"mode":     settings.mode,
		"goLibp2p": libp2pVersion(),
	}
	if metrics != nil {
		ready["metrics"] = metrics.url
	}
	out.write(ready)

	return serveCommands(ctx, h, os.Stdin, out)
}

func closeHost(h host.Host) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "go-peer: close:", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(closeLimit):
		fmt.Fprintln(os.Stderr, "go-peer: the host did not close in time")
	}
}

// fullAddrs are the addresses the host announces, each with /p2p/ID, so that a
// test can hand them on as they are. A circuit address gets the form others
// dial: .../p2p/RELAY/p2p-circuit/p2p/ID.
func fullAddrs(h host.Host) []string {
	full := []string{}
	id, err := ma.NewComponent("p2p", h.ID().String())
	if err != nil {
		return full
	}
	for _, a := range h.Addrs() {
		full = append(full, a.Encapsulate(id).String())
	}
	return full
}

// libp2pVersion tells which go-libp2p is linked in, so that a report of test
// results can name what it was measured against.
func libp2pVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/libp2p/go-libp2p" {
			return dep.Version
		}
	}
	return "unknown"
}
