{{/* A ServiceMonitor, where the Prometheus operator is. Takes (dict "root" $ "component" "extender" "scheme" "http"). */}}
{{- define "parts.serviceMonitor" -}}
{{- include "parts.scrapeable" .root }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "parts.name" . }}
  labels:
    {{- include "parts.labels" . | nindent 4 }}
    {{- with .root.Values.metrics.labels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  selector:
    matchLabels:
      {{- include "parts.selector" . | nindent 6 }}
      berth.dev/scraped: "true"
  endpoints:
    - port: http
      path: /metrics
      interval: {{ .root.Values.metrics.interval }}
      {{- if eq .scheme "https" }}
      scheme: https
      tlsConfig:
        ca:
          secret: {name: {{ .root.Values.tls.secret | default (printf "%s-tls" (include "parts.name" .)) }}, key: ca.crt}
        serverName: {{ include "parts.name" . }}.{{ .root.Release.Namespace }}.svc
        {{- with .root.Values.metrics.clientSecret }}
        cert:
          secret: {name: {{ . }}, key: tls.crt}
        keySecret: {name: {{ . }}, key: tls.key}
        {{- end }}
      {{- end }}
      {{- with .root.Values.access }}
      {{- if .tokenSecret.name }}
      authorization:
        credentials: {name: {{ .tokenSecret.name }}, key: {{ .tokenSecret.key }}}
      {{- else if .tokenReview }}
      # Prometheus's own account, which its operator's roles let read /metrics everywhere.
      bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
      {{- end }}
      {{- end }}
{{- end }}
