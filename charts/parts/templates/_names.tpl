{{/* Names and labels. Each takes (dict "root" $ "component" "extender"). */}}

{{- define "parts.name" -}}
{{ printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release whose model services, Redis and telemetry are used: this one, or the one that `peers` names. */}}
{{- define "parts.peers" -}}
{{ .Values.peers | default .Release.Name }}
{{- end }}

{{- define "parts.selector" -}}
app.kubernetes.io/name: berth-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "parts.labels" -}}
{{ include "parts.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: berth
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "parts.serviceAccount" -}}
{{ .root.Values.serviceAccount.name | default (include "parts.name" .) }}
{{- end }}

{{/* An image: by digest where one is given, so that what runs is what was reviewed. */}}
{{- define "parts.image" -}}
{{- with .root.Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.root.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}
