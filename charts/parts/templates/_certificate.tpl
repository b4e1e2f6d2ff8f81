{{/* A certificate that renews itself, where cert-manager is. Takes root, component, certManager, name, secret, usage, and
dnsNames with an address, or commonName. */}}
{{- define "parts.certificate" -}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ .name }}
  labels:
    {{- include "parts.labels" . | nindent 4 }}
spec:
  secretName: {{ .secret }}
  duration: {{ .certManager.duration }}
  renewBefore: {{ .certManager.renewBefore }}
  privateKey: {rotationPolicy: Always}
  usages: [{{ .usage }}]
  {{- with .commonName }}
  commonName: {{ . }}
  {{- end }}
  {{- with .dnsNames }}
  dnsNames: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .address }}
  ipAddresses: [{{ . | quote }}]
  {{- end }}
  issuerRef:
    name: {{ required "tls.certManager.issuerRef.name must name an issuer of cert-manager" .certManager.issuerRef.name }}
    kind: {{ .certManager.issuerRef.kind }}
{{- end }}
