package main

import (
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// balancer spreads TCP connections over backends in turn, those that are ready first, passing over those that refuse: a
// Service in front of replicas, as far as a lab without kube-proxy needs one. With -each-request it spreads requests, see
// requests.go.
func balancer() {
	flags := flag.NewFlagSet("balancer", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to bind")
	addresses := flags.String("backends", "", "addresses, separated by commas")
	each := flags.Bool("each-request", false, "spread requests instead of connections")
	_ = flags.Parse(os.Args[1:])
	door, err := net.Listen("tcp", *listen)
	check(err)
	behind := watch(strings.Split(*addresses, ","))
	if *each {
		check(http.Serve(door, &requests{backends: behind}))
	}
	for {
		client, err := door.Accept()
		check(err)
		go serve(client, behind.inTurn())
	}
}

func serve(client net.Conn, targets []string) {
	defer client.Close()
	for _, target := range targets {
		backend, err := net.DialTimeout("tcp", target, 200*time.Millisecond)
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
