package main

// go-libp2p's own metrics, for comparing names and labels with ours.

import (
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type metricsServer struct {
	registry *prometheus.Registry
	url      string
}

// startMetrics listens at once, so that the "ready" line can name a port the
// system has picked. It gives nil without an address. The registry is its own:
// what is served is go-libp2p's metrics without those of the Go runtime.
func startMetrics(addr string) (*metricsServer, error) {
	if addr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	go http.Serve(listener, mux) // ends with the process
	return &metricsServer{registry: registry, url: fmt.Sprintf("http://%s/metrics", listener.Addr())}, nil
}
