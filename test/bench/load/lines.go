package main

// How a benchmark talks to this program: JSON lines on stdin and stdout.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"sync"
)

type fields map[string]any

var stdout struct {
	sync.Mutex
	encoder *json.Encoder
}

func init() { stdout.encoder = json.NewEncoder(os.Stdout) }

// say writes one line. Without a reader there is nobody left to work for, and
// stdin will say so.
func say(line any) {
	stdout.Lock()
	defer stdout.Unlock()
	_ = stdout.encoder.Encode(line)
}

// order is one line of stdin: a command, its arguments, and an id that comes
// back with the answer.
type order struct {
	ID    int    `json:"id"`
	Cmd   string `json:"cmd"`
	Bytes int64  `json:"bytes"`
	Write int    `json:"write"`
	line  []byte
}

// with reads the arguments that only one command has, and carries it out.
func with[A any](o order, carryOut func(A) (fields, error)) (fields, error) {
	var arguments A
	if err := json.Unmarshal(o.line, &arguments); err != nil {
		return nil, err
	}
	return carryOut(arguments)
}

// obey carries out one order after the other until stdin closes.
func obey(ctx context.Context, carryOut func(order) (fields, error)) error {
	orders := make(chan order)
	failed := make(chan error, 1)
	go readOrders(orders, failed)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case o := <-orders:
			say(answer(o, carryOut))
		}
	}
}

func answer(o order, carryOut func(order) (fields, error)) fields {
	line, err := carryOut(o)
	if line == nil {
		line = fields{}
	}
	line["id"], line["ok"] = o.ID, err == nil
	if err != nil {
		line["error"] = err.Error()
	}
	return line
}

// readOrders sends nil to failed at the end of stdin.
func readOrders(orders chan<- order, failed chan<- error) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		o := order{line: bytes.Clone(lines.Bytes())}
		if err := json.Unmarshal(o.line, &o); err != nil {
			failed <- err
			return
		}
		orders <- o
	}
	failed <- lines.Err()
}
