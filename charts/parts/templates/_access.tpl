{{/* Who may read decisions, state and metrics from other machines. */}}

{{/* Section `access` of the settings, from values. Takes the root. */}}
{{- define "parts.access" -}}
{{- $access := dict }}
{{- with .Values.access.tokenSecret }}{{ if .name }}
{{- $_ := set $access "token_file" (printf "/etc/berth/access/%s" .key) }}
{{- end }}{{ end }}
{{- if .Values.access.tokenReview }}{{ $_ := set $access "review" (dict "enabled" true) }}{{ end }}
{{- toYaml $access }}
{{- end }}

{{/* Prometheus must be let in by something, or all it is told is 401. Takes the root. */}}
{{- define "parts.scrapeable" -}}
{{- $values := .Values }}
{{- $tls := $values.tls | default dict }}
{{- if and $tls.enabled $tls.clientAuth }}
{{- if not $values.metrics.clientSecret }}
{{- fail "metrics.clientSecret must name the certificate that Prometheus shows, as tls.clientAuth is on" }}
{{- end }}
{{- else if not (or $values.access.tokenReview $values.access.tokenSecret.name (dig "access" "open_to" "" $values.settings)) }}
{{- fail "metrics.serviceMonitor: Prometheus would not be let in; set access.tokenReview, access.tokenSecret or settings.access.open_to" }}
{{- end }}
{{- end }}

{{/* The right to ask the API server who shows a token, and a role to bind readers to. Takes root and component. */}}
{{- define "parts.reviews" -}}
{{- $name := printf "%s-%s" .root.Release.Namespace (include "parts.name" .) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}-reviews
  labels:
    {{- include "parts.labels" . | nindent 4 }}
# Kubernetes's own role for it: create TokenReviews and SubjectAccessReviews, and nothing else.
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}
subjects:
  - {kind: ServiceAccount, name: {{ include "parts.serviceAccount" . }}, namespace: {{ .root.Release.Namespace }}}
---
# Bind people and Prometheus to it: kubectl create clusterrolebinding NAME --clusterrole={{ $name }}-reader --user=...
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}-reader
  labels:
    {{- include "parts.labels" . | nindent 4 }}
rules:
  - nonResourceURLs: [/metrics, /v1/*, /v2/*]
    verbs: [get]
{{- end }}
