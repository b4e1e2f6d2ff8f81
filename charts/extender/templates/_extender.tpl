{{/* Names and settings of the extender. Each takes the root. */}}

{{- define "extender.name" -}}
{{ include "parts.name" (dict "root" . "component" "extender") }}
{{- end }}

{{- define "extender.modelsSecret" -}}
{{ .Values.tls.modelsSecret | default (printf "%s-models-tls" (include "extender.name" .)) }}
{{- end }}

{{- define "extender.tlsSecret" -}}
{{ .Values.tls.secret | default (printf "%s-tls" (include "extender.name" .)) }}
{{- end }}

{{/* What the chart knows of the settings; what is set in `settings` wins. */}}
{{- define "extender.settings" -}}
{{- $peers := include "parts.peers" . }}
{{- $models := dict }}
{{- range $model := list "load-predictor" "placement-scorer" "anomaly-detector" }}
{{- $port := get (dict "load-predictor" 8091 "placement-scorer" 8092 "anomaly-detector" 8093) $model }}
{{- $_ := set $models (replace "-" "_" $model) (dict "target" (printf "dns:///%s-%s-grpc:%d" $peers $model (int $port))) }}
{{- end }}
{{- if .Values.tls.models }}
{{- range $field, $file := dict "tls_ca" "ca.crt" "tls_cert" "tls.crt" "tls_key" "tls.key" }}
{{- $_ := set $models $field (printf "/etc/berth/models/%s" $file) }}
{{- end }}
{{- end }}
{{- $server := dict "host" "0.0.0.0" "health_port" 8887 }}
{{- if .Values.tls.enabled }}
{{- $_ := set $server "tls_cert" "/etc/berth/tls/tls.crt" }}
{{- $_ := set $server "tls_key" "/etc/berth/tls/tls.key" }}
{{- if .Values.tls.clientAuth }}{{ $_ := set $server "tls_client_ca" "/etc/berth/tls/ca.crt" }}{{ end }}
{{- end }}
{{- $known := dict "server" $server "models" $models }}
{{- $_ := set $known "opt_in" (dict "scheduler_names" (list .Values.scheduler.name) "own_namespaces" (list .Release.Namespace)) }}
{{- with include "parts.access" . | fromYaml }}{{ $_ := set $known "access" . }}{{ end }}
{{- toYaml (mergeOverwrite $known (deepCopy .Values.settings)) }}
{{- end }}

{{/* The extender as a KubeSchedulerConfiguration names it. Takes root, host (with its port), and the folder of certificates. */}}
{{- define "extender.asked" -}}
{{- $tls := .root.Values.tls -}}
- urlPrefix: {{ if $tls.enabled }}https{{ else }}http{{ end }}://{{ .host }}/scheduler
  {{- if .root.Values.scheduler.filter }}
  filterVerb: filter
  {{- end }}
  prioritizeVerb: prioritize
  weight: {{ .root.Values.scheduler.weight }}
  nodeCacheCapable: true
  # Whatever Berth does, no pod fails because of it.
  ignorable: true
  httpTimeout: 200ms
  {{- if $tls.enabled }}
  enableHTTPS: true
  tlsConfig:
    serverName: {{ include "extender.name" .root }}.{{ .root.Release.Namespace }}.svc
    caFile: {{ .folder }}/ca.crt
    {{- if $tls.clientAuth }}
    certFile: {{ .folder }}/tls.crt
    keyFile: {{ .folder }}/tls.key
    {{- end }}
  {{- end }}
{{- end }}

{{/* What a caller mounts: the authority, and its own certificate where one is asked for. Takes the root. */}}
{{- define "extender.callerCertificates" -}}
- secret:
    name: {{ include "extender.tlsSecret" . }}
    items: [{key: ca.crt, path: ca.crt}]
{{- if .Values.tls.clientAuth }}
- secret:
    name: {{ .Values.scheduler.clientSecret | default (printf "%s-client-tls" (include "extender.name" .)) }}
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- end }}
