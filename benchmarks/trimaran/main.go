// Package main is kube-scheduler with one plugin more: Trimaran's TargetLoadPacking.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme" // decodes the plugin's arguments
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"
)

func main() {
	plugin := scheduler.WithPlugin(targetloadpacking.Name, targetloadpacking.New)
	os.Exit(cli.Run(scheduler.NewSchedulerCommand(plugin)))
}
