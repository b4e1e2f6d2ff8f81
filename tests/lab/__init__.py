"""A real control plane in the tests: etcd, kube-apiserver, kube-controller-manager, kube-scheduler; no containers."""
