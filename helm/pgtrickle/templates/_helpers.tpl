{{/* The name of the chart, or what replaces it. */}}
{{- define "pgtrickle.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of most objects. Also of a Service, which allows neither dots nor a digit at the beginning, as names of releases
     do; a label, and so at most 63 characters, with what is appended to it. */}}
{{- define "pgtrickle.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $own := include "pgtrickle.name" . -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name $own) (contains $own .Release.Name) -}}
{{- end -}}
{{- $name = replace "." "-" $name -}}
{{- if regexMatch "^[0-9]" $name -}}
{{- $name = printf "p-%s" $name -}}
{{- end -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "pgtrickle.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pgtrickle.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "pgtrickle.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "pgtrickle.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/component: daemon
app.kubernetes.io/part-of: pgtrickle
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object: (dict "root" $ "name" NAME "labels" MORE "annotations" MORE) */}}
{{- define "pgtrickle.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "pgtrickle.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pgtrickle.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "pgtrickle.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pgtrickle.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Which pods run the daemon: ours, or the ones with the sidecar. Empty: not known. */}}
{{- define "pgtrickle.podLabels" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- with .Values.sidecar.podLabels }}{{ toYaml . }}{{ end -}}
{{- else -}}
{{- include "pgtrickle.selectorLabels" . -}}
{{- end -}}
{{- end -}}

{{/* What is wrong with the values, beyond what values.schema.json can say. */}}
{{- define "pgtrickle.check" -}}
{{- if not .Values.databases -}}
{{- fail "databases is empty: name at least one database with its dsn, see values.yaml" -}}
{{- end -}}
{{- $http := .Values.config.http | default dict -}}
{{- $address := default "127.0.0.1" $http.address -}}
{{- if or (hasPrefix "127." $address) (eq "::1" $address) -}}
{{- fail "config.http.address: the kubelet's probes reach no loopback address; 0.0.0.0 or ::, the network policy says who may ask" -}}
{{- end -}}
{{- if and $http.allowed_hosts .Values.podMonitor.enabled -}}
{{- fail "config.http.allowed_hosts refuses the scrapes of podMonitor, which ask for the address of a pod: leave one of them out" -}}
{{- end -}}
{{- range $i, $database := .Values.databases -}}
{{- $auth := include "pgtrickle.auth" (dict "root" $ "database" $database) | fromYaml -}}
{{- if and $auth.worker.existingSecret (not $database.worker_dsn) -}}
{{- fail (printf "databases[%d]: there is a password for worker sessions, but no worker_dsn that it could be for" $i) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where the passwords of a database are: its own auth, else that of all. (dict "root" $ "database" ENTRY) */}}
{{- define "pgtrickle.auth" -}}
{{- $own := .database.auth | default dict -}}
{{- $all := .root.Values.auth -}}
admin:
  {{- toYaml (default $all.admin $own.admin) | nindent 2 }}
worker:
  {{- toYaml (default (ternary $all.worker (dict) (not (empty .database.worker_dsn))) $own.worker) | nindent 2 }}
{{- end -}}

{{/* The daemon's configuration file. */}}
{{- define "pgtrickle.config" -}}
{{- $databases := list -}}
{{- range $i, $database := .Values.databases -}}
{{- $entry := omit $database "auth" -}}
{{- $auth := include "pgtrickle.auth" (dict "root" $ "database" $database) | fromYaml -}}
{{- if $auth.admin.existingSecret -}}
{{- $_ := set $entry "password_file" (printf "/etc/pgtrickle/secrets/%d/password" $i) -}}
{{- end -}}
{{- if and $database.worker_dsn $auth.worker.existingSecret -}}
{{- $_ := set $entry "worker_password_file" (printf "/etc/pgtrickle/secrets/%d/worker-password" $i) -}}
{{- end -}}
{{- $databases = append $databases $entry -}}
{{- end -}}
{{- toYaml (merge (dict "databases" $databases) .Values.config) -}}
{{- end -}}

{{- define "pgtrickle.port" -}}
{{- (.Values.config.http | default dict).port | default 9188 | int -}}
{{- end -}}

{{- define "pgtrickle.env" -}}
{{- with .Values.tls.mode }}
- name: PGSSLMODE
  value: {{ . | quote }}
{{- end }}
{{- if or .Values.tls.ca.existingSecret .Values.tls.ca.existingConfigMap }}
- name: PGSSLROOTCERT
  value: /etc/pgtrickle/ca/ca.crt
{{- end }}
{{- if .Values.tls.admin.existingSecret }}
- name: PGSSLCERT
  value: /etc/pgtrickle/tls/tls.crt
- name: PGSSLKEY
  value: /etc/pgtrickle/tls/tls.key
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (dict "root" $ "mode" MODE-OF-FILES): the volumes of the container. */}}
{{- define "pgtrickle.volumes" -}}
{{- $mode := .mode -}}
{{- with .root -}}
- name: pgtrickle-config
  configMap:
    name: {{ include "pgtrickle.fullname" . }}-config
{{- range $i, $database := .Values.databases }}
{{- $auth := include "pgtrickle.auth" (dict "root" $.root "database" $database) | fromYaml }}
{{- if or $auth.admin.existingSecret $auth.worker.existingSecret }}
- name: pgtrickle-secrets-{{ $i }}
  projected:
    defaultMode: {{ $mode }}
    sources:
      {{- with $auth.admin.existingSecret }}
      - secret:
          name: {{ . | quote }}
          items:
            - key: {{ default "password" $auth.admin.key | quote }}
              path: password
      {{- end }}
      {{- with $auth.worker.existingSecret }}
      - secret:
          name: {{ . | quote }}
          items:
            - key: {{ default "password" $auth.worker.key | quote }}
              path: worker-password
      {{- end }}
{{- end }}
{{- end }}
{{- if .Values.tls.ca.existingSecret }}
- name: pgtrickle-ca
  secret:
    secretName: {{ .Values.tls.ca.existingSecret | quote }}
    items:
      - key: {{ .Values.tls.ca.key | quote }}
        path: ca.crt
{{- else if .Values.tls.ca.existingConfigMap }}
- name: pgtrickle-ca
  configMap:
    name: {{ .Values.tls.ca.existingConfigMap | quote }}
    items:
      - key: {{ .Values.tls.ca.key | quote }}
        path: ca.crt
{{- end }}
{{- /* libpq takes a key that root owns and a group may read. */}}
{{- range $name, $secret := dict "tls" .Values.tls.admin.existingSecret "tls-worker" .Values.tls.worker.existingSecret }}
{{- if $secret }}
- name: pgtrickle-{{ $name }}
  secret:
    secretName: {{ $secret | quote }}
    defaultMode: 288  # 0440
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "pgtrickle.volumeMounts" -}}
- name: pgtrickle-config
  mountPath: /etc/pgtrickle/config
  readOnly: true
{{- range $i, $database := .Values.databases }}
{{- $auth := include "pgtrickle.auth" (dict "root" $ "database" $database) | fromYaml }}
{{- if or $auth.admin.existingSecret $auth.worker.existingSecret }}
- name: pgtrickle-secrets-{{ $i }}
  mountPath: /etc/pgtrickle/secrets/{{ $i }}
  readOnly: true
{{- end }}
{{- end }}
{{- if or .Values.tls.ca.existingSecret .Values.tls.ca.existingConfigMap }}
- name: pgtrickle-ca
  mountPath: /etc/pgtrickle/ca
  readOnly: true
{{- end }}
{{- range $name, $secret := dict "tls" .Values.tls.admin.existingSecret "tls-worker" .Values.tls.worker.existingSecret }}
{{- if $secret }}
- name: pgtrickle-{{ $name }}
  mountPath: /etc/pgtrickle/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (dict "root" $ "path" PATH "timing" PROBE): what the kubelet asks. */}}
{{- define "pgtrickle.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ include "pgtrickle.portName" .root }}
  {{- with (.root.Values.config.http | default dict).allowed_hosts }}
  httpHeaders:
    - name: Host
      value: {{ splitList "," . | first | trim | quote }}
  {{- end }}
{{ toYaml .timing }}
{{- end -}}

{{- define "pgtrickle.portName" -}}
pgtrickle
{{- end -}}

{{/* What the container of the Deployment and the sidecar have in common. */}}
{{- define "pgtrickle.container" -}}
name: pgtrickled
image: {{ include "pgtrickle.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: ["--config", "/etc/pgtrickle/config/pgtrickled.yaml"]
{{- with include "pgtrickle.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
ports:
  - name: {{ include "pgtrickle.portName" . }}
    containerPort: {{ include "pgtrickle.port" . }}
    protocol: TCP
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  {{- include "pgtrickle.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/* For a parent chart: an entry of `containers`. include "pgtrickle.sidecar.container" .Subcharts.pgtrickle */}}
{{- define "pgtrickle.sidecar.container" -}}
{{ include "pgtrickle.container" . }}
securityContext:
  {{- $user := .Values.sidecar.runAsUser }}
  {{- $uid := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- if $user }}
  {{- $_ := set $uid "runAsUser" (int64 $user) }}
  {{- $_ := set $uid "runAsGroup" (int64 $user) }}
  {{- end }}
  {{- toYaml (merge $uid .Values.securityContext) | nindent 2 }}
startupProbe:
  {{- include "pgtrickle.probe" (dict "root" . "path" "/live" "timing" .Values.probes.startup) | nindent 2 }}
livenessProbe:
  {{- include "pgtrickle.probe" (dict "root" . "path" "/live" "timing" .Values.probes.liveness) | nindent 2 }}
{{- if .Values.sidecar.readinessProbe }}
readinessProbe:
  {{- include "pgtrickle.probe" (dict "root" . "path" "/ready" "timing" .Values.probes.readiness) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* For a parent chart: entries of `volumes`. include "pgtrickle.sidecar.volumes" .Subcharts.pgtrickle */}}
{{- define "pgtrickle.sidecar.volumes" -}}
{{- include "pgtrickle.volumes" (dict "root" . "mode" (int .Values.sidecar.secretMode)) -}}
{{- end -}}
