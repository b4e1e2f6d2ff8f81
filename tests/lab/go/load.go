package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const writers = 32

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func client(flags *flag.FlagSet) *kubernetes.Clientset {
	path := flags.String("kubeconfig", "", "kubeconfig file")
	_ = flags.Parse(os.Args[1:])
	config, err := clientcmd.BuildConfigFromFlags("", *path)
	check(err)
	config.QPS, config.Burst = 5000, 5000
	config.ContentType = runtime.ContentTypeProtobuf
	set, err := kubernetes.NewForConfig(config)
	check(err)
	return set
}

// create reads Nodes and Pods from standard input, one JSON object a line, and creates them, several at once. A
// node's status is set as given: there is no kubelet to do it.
func create() {
	set := client(flag.NewFlagSet("create", flag.ExitOnError))
	lines := make(chan []byte)
	var workers sync.WaitGroup
	for range writers {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for line := range lines {
				check(createOne(set, line))
			}
		}()
	}
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines <- append([]byte(nil), scanner.Bytes()...)
	}
	check(scanner.Err())
	close(lines)
	workers.Wait()
}

func createOne(set *kubernetes.Clientset, line []byte) error {
	var kind metav1.TypeMeta
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	if kind.Kind == "Node" {
		return createNode(set, line)
	}
	var pod v1.Pod
	if err := json.Unmarshal(line, &pod); err != nil {
		return err
	}
	if pod.Namespace == "" {
		pod.Namespace = "default"
	}
	_, err := set.CoreV1().Pods(pod.Namespace).Create(context.Background(), &pod, metav1.CreateOptions{})
	return err
}

func createNode(set *kubernetes.Clientset, line []byte) error {
	var node v1.Node
	if err := json.Unmarshal(line, &node); err != nil {
		return err
	}
	now := metav1.Now()
	node.Status.Conditions = []v1.NodeCondition{{
		Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "Lab", LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	_, err := set.CoreV1().Nodes().Create(context.Background(), &node, metav1.CreateOptions{})
	return err
}

// deletePods deletes the pods of every namespace that a label selector names, at once, and returns when none is left.
func deletePods() {
	flags := flag.NewFlagSet("delete-pods", flag.ExitOnError)
	selector := flags.String("selector", "", "label selector; empty: all")
	set := client(flags)
	chosen := metav1.ListOptions{LabelSelector: *selector}
	ctx, zero := context.Background(), int64(0)
	namespaces, err := set.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	check(err)
	for {
		left := 0
		for _, namespace := range namespaces.Items {
			pods := set.CoreV1().Pods(namespace.Name)
			options := metav1.DeleteOptions{GracePeriodSeconds: &zero}
			check(pods.DeleteCollection(ctx, options, chosen))
			list, err := pods.List(ctx, chosen)
			check(err)
			left += len(list.Items)
		}
		if left == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// bind is one line of the output of binds. At: unix seconds when the watch told.
type bind struct {
	UID       string  `json:"uid"`
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Node      string  `json:"node"`
	Scheduler string  `json:"scheduler"`
	At        float64 `json:"at"`
}

// binds watches pods and prints each binding as a line of JSON until it is ended; a pod seen on a second node is
// printed again. The first line, "{}", says that the watch has begun.
func binds() {
	set := client(flag.NewFlagSet("binds", flag.ExitOnError))
	out := bufio.NewWriter(os.Stdout)
	var lock sync.Mutex
	placed := map[string]string{}
	tell := func(object any) {
		pod, ok := object.(*v1.Pod)
		if !ok || pod.Spec.NodeName == "" {
			return
		}
		at := float64(time.Now().UnixNano()) / 1e9
		lock.Lock()
		defer lock.Unlock()
		if placed[string(pod.UID)] == pod.Spec.NodeName {
			return
		}
		placed[string(pod.UID)] = pod.Spec.NodeName
		line, err := json.Marshal(bind{
			string(pod.UID), pod.Namespace, pod.Name, pod.Spec.NodeName, pod.Spec.SchedulerName, at,
		})
		check(err)
		fmt.Fprintln(out, string(line))
	}
	pods := cache.NewListWatchFromClient(set.CoreV1().RESTClient(), "pods", "", fields.Everything())
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: pods,
		ObjectType:    &v1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    tell,
			UpdateFunc: func(_, now any) { tell(now) },
		},
	})
	stop := make(chan struct{})
	go informer.Run(stop)
	cache.WaitForCacheSync(stop, informer.HasSynced)
	lock.Lock()
	fmt.Fprintln(out, "{}")
	lock.Unlock()
	for range time.Tick(20 * time.Millisecond) {
		lock.Lock()
		check(out.Flush())
		lock.Unlock()
	}
}
