{{/* Names and settings of telemetry. Each takes the root. */}}

{{- define "telemetry.name" -}}
{{ include "parts.name" (dict "root" . "component" "telemetry") }}
{{- end }}

{{/* What the chart knows of the settings; what is set in `settings` wins. */}}
{{- define "telemetry.settings" -}}
{{- $known := dict "source" "cluster" "host" "0.0.0.0" }}
{{- $_ := set $known "lease" (dict "name" (include "telemetry.name" .) "namespace" .Release.Namespace) }}
{{- $history := dict "keep_days" .Values.history.keepDays }}
{{- if eq .Values.history.store "volume" }}{{ $_ := set $history "url" "/var/lib/berth/history" }}{{ end }}
{{- $_ := set $known "history" $history }}
{{- with include "parts.access" . | fromYaml }}{{ $_ := set $known "access" . }}{{ end }}
{{- toYaml (mergeOverwrite $known (deepCopy .Values.settings)) }}
{{- end }}

{{/* What would not work is refused before it is installed. */}}
{{- define "telemetry.check" -}}
{{- $url := dig "history" "url" "" .Values.settings }}
{{- if and (eq .Values.history.store "url") (not $url) }}
{{- fail "history.store is url: settings.history.url must name an object store, such as s3://bucket/berth" }}
{{- end }}
{{- if and (eq .Values.history.store "volume") (gt (int .Values.replicas) 1) (ne .Values.history.volume.accessMode "ReadWriteMany") }}
{{- fail "replicas above 1 need history.volume.accessMode ReadWriteMany, or history.store url or none" }}
{{- end }}
{{- end }}
