{{/* What each user of Valkey may do, and no more. Takes the root. */}}
{{- define "mesh.users" -}}
extender: >-
  %R~berth:{snapshot}:* %R~berth:{override} ~berth:{scores:* ~berth:{inflight} ~berth:{decisions} &berth:snapshot
  +@connection +get +set +xread +xadd +multi +exec +discard +subscribe +unsubscribe
telemetry: >-
  ~berth:{snapshot}:* %R~berth:{decisions} &berth:snapshot
  +@connection +get +set +del +type +strlen +eval +publish +xread +xrevrange
operator: >-
  ~berth:{override} ~berth:{override}:audit
  +@connection +get +set +del +xadd +xrevrange +multi +exec +discard
{{- end }}
