package main

import (
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// balancer spreads TCP connections over backends in turn, passing over those that refuse: a Service in front of
// replicas, as far as a lab without kube-proxy needs one.
func balancer() {
	flags := flag.NewFlagSet("balancer", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to bind")
	backends := flags.String("backends", "", "addresses, separated by commas")
	_ = flags.Parse(os.Args[1:])
	door, err := net.Listen("tcp", *listen)
	check(err)
	targets := strings.Split(*backends, ",")
	var turn atomic.Uint64
	for {
		client, err := door.Accept()
		check(err)
		go serve(client, targets, int(turn.Add(1)))
	}
}

func serve(client net.Conn, targets []string, first int) {
	defer client.Close()
	for i := range targets {
		backend, err := net.DialTimeout("tcp", targets[(first+i)%len(targets)], 200*time.Millisecond)
		if err == nil {
			defer backend.Close()
			join(client.(*net.TCPConn), backend.(*net.TCPConn))
			return
		}
	}
}

func join(a, b *net.TCPConn) {
	done := make(chan struct{}, 2)
	pump := func(to, from *net.TCPConn) {
		_, _ = io.Copy(to, from)
		_ = to.CloseWrite()
		done <- struct{}{}
	}
	go pump(a, b)
	go pump(b, a)
	<-done
	<-done
}
