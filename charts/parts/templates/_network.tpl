{{/* Pieces of NetworkPolicies. */}}

{{- define "parts.dns" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{/* Pods of a component of the peers' release. Takes (dict "root" $ "component" "redis"). */}}
{{- define "parts.peer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: berth-{{ .component }}
      app.kubernetes.io/instance: {{ include "parts.peers" .root }}
{{- end }}

{{/* The API server, which no pod selector finds. Takes the root. */}}
{{- define "parts.apiServer" -}}
- to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{/* Prometheus, which reads metrics. Takes (dict "root" $ "port" 8888). */}}
{{- define "parts.scrapes" -}}
- from:
    - namespaceSelector: {{- toYaml .root.Values.networkPolicy.monitoring | nindent 8 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
