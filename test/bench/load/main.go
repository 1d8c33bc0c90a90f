// Command load is what the benchmarks need beside the relay they measure, and
// what has to cost less than it: senders and receivers on go-libp2p, and
// go-libp2p's own relay to compare with.
//
// The first argument names what to do; each is a file of its own. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

var commands = map[string]func(ctx context.Context, args []string) error{
	"pump":        pump,
	"serve-relay": serveRelay,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command; there are %s", strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("unknown command %q", args[0])
	}
	return command(ctx, args[1:])
}
