{{/* What every pod of Berth has. Pod Security Standard "restricted", and nothing writable but /tmp. */}}

{{- define "parts.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "parts.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where a pod goes, from values. Takes the root. */}}
{{- define "parts.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas on different nodes and zones where that is possible. Takes (dict "root" $ "component" "extender"). */}}
{{- define "parts.spread" -}}
{{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "parts.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* Settings that are secrets come from Secrets as variables, never from the ConfigMap. Takes the root and the section. */}}
{{- define "parts.secretEnvironment" -}}
{{- range .root.Values.fromSecrets }}
- name: BERTH_{{ upper $.section }}__{{ .setting | replace "." "__" | upper }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
{{- end }}

{{/* Where Redis is: the URL that values name, or the one that chart `mesh` keeps in a Secret, for each component its own;
nothing where fromSecrets names another. Takes root, section, component, and the setting's variable. */}}
{{- define "parts.redisEnvironment" -}}
{{- $given := false }}
{{- range .root.Values.fromSecrets }}{{ if has .setting (list "redis.url" "redis_url") }}{{ $given = true }}{{ end }}{{ end }}
{{- if not $given }}
- name: BERTH_{{ upper .section }}__{{ .variable }}
  {{- with .root.Values.redisUrl }}
  value: {{ . | quote }}
  {{- else }}
  valueFrom:
    secretKeyRef: {name: {{ include "parts.peers" .root }}-redis, key: {{ .component }}-url}
  {{- end }}
{{- end }}
{{- end }}

{{/* Secrets that several charts mount, each below /etc/berth: what a Redis over TLS is checked by, and the readers' token.
Each takes the root. */}}
{{- define "parts.secretMounts" -}}
{{- with (.Values.redisTls).secret }}
- {name: redis, mountPath: /etc/berth/redis, readOnly: true}
{{- end }}
{{- with .Values.access.tokenSecret.name }}
- {name: access, mountPath: /etc/berth/access, readOnly: true}
{{- end }}
{{- end }}

{{- define "parts.secretVolumes" -}}
{{- with (.Values.redisTls).secret }}
- name: redis
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.access.tokenSecret.name }}
- name: access
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
