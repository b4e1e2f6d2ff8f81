package main

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"

	extenderv1 "k8s.io/kube-scheduler/extender/v1"
)

// noopExtender answers every call neutrally: what an extender costs when it does nothing.
func noopExtender() {
	flags := flag.NewFlagSet("noop-extender", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to bind")
	_ = flags.Parse(os.Args[1:])
	mux := http.NewServeMux()
	mux.HandleFunc("/scheduler/filter", func(w http.ResponseWriter, r *http.Request) {
		if args := arguments(w, r); args != nil {
			answer(w, extenderv1.ExtenderFilterResult{Nodes: args.Nodes, NodeNames: args.NodeNames})
		}
	})
	mux.HandleFunc("/scheduler/prioritize", func(w http.ResponseWriter, r *http.Request) {
		if args := arguments(w, r); args != nil {
			answer(w, neutral(args))
		}
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	check(http.ListenAndServe(*listen, mux))
}

func arguments(w http.ResponseWriter, r *http.Request) *extenderv1.ExtenderArgs {
	var args extenderv1.ExtenderArgs
	if err := json.NewDecoder(r.Body).Decode(&args); err != nil {
		http.Error(w, "the body is not ExtenderArgs", http.StatusBadRequest)
		return nil
	}
	return &args
}

func neutral(args *extenderv1.ExtenderArgs) extenderv1.HostPriorityList {
	names := []string{}
	if args.NodeNames != nil {
		names = *args.NodeNames
	} else if args.Nodes != nil {
		for _, node := range args.Nodes.Items {
			names = append(names, node.Name)
		}
	}
	list := make(extenderv1.HostPriorityList, len(names))
	for i, name := range names {
		list[i] = extenderv1.HostPriority{Host: name}
	}
	return list
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	check(json.NewEncoder(w).Encode(value))
}
