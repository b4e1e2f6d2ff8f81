package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

// backends are a Service's endpoints: which of them are ready is asked as a kubelet does, only more often.
type backends struct {
	targets []string
	ready   []atomic.Bool
	turn    atomic.Uint64
}

func watch(targets []string) *backends {
	made := &backends{targets: targets, ready: make([]atomic.Bool, len(targets))}
	asking := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range targets {
		go func() {
			for {
				made.ready[i].Store(isReady(&asking, targets[i]))
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	return made
}

func isReady(asking *http.Client, target string) bool {
	reply, err := asking.Get("http://" + target + "/readyz")
	if err != nil {
		return false
	}
	_ = reply.Body.Close()
	return reply.StatusCode == http.StatusOK
}

// inTurn returns every backend, the next in turn first and those that are not ready last.
func (b *backends) inTurn() []string {
	first := int(b.turn.Add(1))
	var good, bad []string
	for i := range b.targets {
		at := (first + i) % len(b.targets)
		if b.ready[at].Load() {
			good = append(good, b.targets[at])
		} else {
			bad = append(bad, b.targets[at])
		}
	}
	return append(good, bad...)
}
