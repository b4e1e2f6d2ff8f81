{{/* Names, ports and the pod of a model service. Each takes the root but where it says so. */}}

{{- define "model.name" -}}
{{ include "parts.name" (dict "root" . "component" .Values.model) }}
{{- end }}

{{- define "model.tlsSecret" -}}
{{ .Values.tls.secret | default (printf "%s-tls" (include "model.name" .)) }}
{{- end }}

{{- define "model.section" -}}
{{ replace "-" "_" .Values.model }}
{{- end }}

{{- define "model.restPort" -}}
{{ get .Values.settings "http_port" | default (get (dict "load-predictor" 8081 "placement-scorer" 8082 "anomaly-detector" 8083) .Values.model) }}
{{- end }}

{{- define "model.grpcPort" -}}
{{ get .Values.settings "grpc_port" | default (get (dict "load-predictor" 8091 "placement-scorer" 8092 "anomaly-detector" 8093) .Values.model) }}
{{- end }}

{{- define "model.image" -}}
{{- with .Values.image -}}
{{ .repository | default (printf "berth-%s" $.Values.model) }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What the chart knows of the settings; what is set in `settings` wins. */}}
{{- define "model.settings" -}}
{{- $known := dict "host" "0.0.0.0" }}
{{- if .Values.artifact.storageUri }}{{ $_ := set $known "artifact" "/mnt/models" }}{{ end }}
{{- if .Values.artifact.digest }}{{ $_ := set $known "artifact_digest" .Values.artifact.digest }}{{ end }}
{{- with include "parts.access" . | fromYaml }}{{ $_ := set $known "access" . }}{{ end }}
{{- if .Values.tls.enabled }}
{{- range $field, $file := dict "tls_cert" "tls.crt" "tls_key" "tls.key" "tls_client_ca" "ca.crt" }}
{{- $_ := set $known $field (printf "/etc/berth/tls/%s" $file) }}
{{- end }}
{{- end }}
{{- toYaml (mergeOverwrite $known (deepCopy .Values.settings)) }}
{{- end }}

{{- define "model.resources" -}}
{{- $resources := deepCopy .Values.resources }}
{{- if gt (int .Values.gpu.count) 0 }}
{{- $limits := mergeOverwrite (deepCopy ($resources.limits | default dict)) (dict .Values.gpu.resource .Values.gpu.count) }}
{{- $_ := set $resources "limits" $limits }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* The container. KServe wants its name, and knows which port is gRPC by h2c. */}}
{{- define "model.container" -}}
name: kserve-container
image: {{ include "model.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - {name: BERTH_CONFIG, value: /etc/berth/settings/berth.yaml}
  {{- if and .Values.artifact.storageUri (ne .Values.mode "deployment") }}
  - {name: STORAGE_URI, value: {{ .Values.artifact.storageUri | quote }}}
  {{- end }}
ports:
  - {name: {{ ternary "h2c" "grpc" (ne .Values.mode "deployment") }}, containerPort: {{ include "model.grpcPort" . }}, protocol: TCP}
  {{- if ne .Values.mode "serverless" }}
  - {name: http, containerPort: {{ include "model.restPort" . }}, protocol: TCP}
  {{- end }}
startupProbe:
  httpGet: {path: /readyz, port: {{ include "model.restPort" . }}}
  periodSeconds: 1
  failureThreshold: 90
livenessProbe:
  httpGet: {path: /healthz, port: {{ include "model.restPort" . }}}
  periodSeconds: 5
  timeoutSeconds: 2
readinessProbe:
  httpGet: {path: /readyz, port: {{ include "model.restPort" . }}}
  periodSeconds: 2
  timeoutSeconds: 2
resources:
  {{- include "model.resources" . | nindent 2 }}
securityContext:
  {{- include "parts.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: settings, mountPath: /etc/berth/settings, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.tls.enabled }}
  - {name: tls, mountPath: /etc/berth/tls, readOnly: true}
  {{- end }}
  {{- include "parts.secretMounts" . | nindent 2 }}
  {{- if and .Values.artifact.storageUri (eq .Values.mode "deployment") }}
  - {name: model, mountPath: /mnt/models, readOnly: true}
  {{- end }}
{{- end }}

{{- define "model.volumes" -}}
- name: settings
  configMap: {name: {{ include "model.name" . }}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- if .Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "model.tlsSecret" . }}, defaultMode: 0440}
{{- end }}
{{- include "parts.secretVolumes" . | nindent 0 }}
{{- if and .Values.artifact.storageUri (eq .Values.mode "deployment") }}
- name: model
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- end }}

{{/* Of the pod, in every mode. Takes (dict "root" $ "component" the model). */}}
{{- define "model.pod" -}}
serviceAccountName: {{ include "parts.serviceAccount" . }}
automountServiceAccountToken: {{ .root.Values.access.tokenReview }}
enableServiceLinks: false
securityContext:
  {{- include "parts.podSecurity" .root | nindent 2 }}
{{ include "parts.placement" .root }}
topologySpreadConstraints:
  {{- include "parts.spread" . | nindent 2 }}
{{- end }}
