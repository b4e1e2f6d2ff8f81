package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
)

// requests spreads single requests over backends in turn. No Service does that: it is the hardest case for replicas that
// answer for each other, as the verbs of one pod always reach different ones. What a backend fails is told on standard
// error and to the client as 502; nothing but a refused connection is tried elsewhere.
type requests struct {
	*backends
	client http.Client
}

func (r *requests) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	body, err := io.ReadAll(call.Body)
	if err != nil {
		return
	}
	for _, target := range r.inTurn() {
		reply, err := r.forward(target, call, body)
		if errors.Is(err, syscall.ECONNREFUSED) {
			continue
		}
		if err == nil {
			err = relay(w, reply)
		} else {
			w.WriteHeader(http.StatusBadGateway)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "failed:", call.URL.Path, err)
		}
		return
	}
	fmt.Fprintln(os.Stderr, "failed:", call.URL.Path, "every backend refuses")
	w.WriteHeader(http.StatusBadGateway)
}

func (r *requests) forward(target string, call *http.Request, body []byte) (*http.Response, error) {
	made, err := http.NewRequest(call.Method, "http://"+target+call.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	made.Header.Set("Content-Type", call.Header.Get("Content-Type"))
	return r.client.Do(made)
}

func relay(w http.ResponseWriter, reply *http.Response) error {
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return err
	}
	w.Header().Set("Content-Type", reply.Header.Get("Content-Type"))
	w.WriteHeader(reply.StatusCode)
	_, err = w.Write(content)
	return err
}
