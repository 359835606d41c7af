{{- /*
The parts of the sidecar, each written once. _sidecar.tpl puts them together as the values say; the document "faas-sidecar.template" holds them apart,
for those who put them together as a pod's annotations say: the webhook, `faas-sidecar inject`, and the policy.

  faas-sidecar.document  the document, as YAML in the order of reading
  faas-sidecar.template  the same, as JSON
*/}}

{{- define "faas-sidecar.document" -}}
# The sidecar that injection puts into a pod. Annotations of the pod, faas-sidecar.io/…, replace what stands first.
# The image: by digest if there is one, unless the annotation version names a tag.
image:
  repository: {{ .Values.image.repository | quote }}
  tag: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
  digest: {{ .Values.image.digest | quote }}
# The ConfigMap with faas.yaml, in the pod's namespace.
config: {{ include "faas-sidecar.fullname" . }}
# By target, the Secret with its keys, in the pod's namespace; iam_password:name for a user with a password.
credentials: {{ include "faas-sidecar.secrets" . }}
# port or socket.
listen: {{ .Values.socket.enabled | ternary "socket" "port" }}
# An init container with restartPolicy Always, or an ordinary container without it.
native: {{ include "faas-sidecar.native" . | default "false" }}
# FAAS_SIDECAR_LOG_LEVEL, when it is not empty.
logLevel: {{ .Values.logLevel | quote }}
# The container. Injection fills in image, restartPolicy and resources, puts the variables of port or socket before env, and appends
# FAAS_SIDECAR_LOG_LEVEL to it; the mounts of keys and of the socket are appended to volumeMounts, in this order.
container:
  {{- include "faas-sidecar.part.container" (dict "own" . "native" true "more" (include "faas-sidecar.part.ports" . | fromYaml)) | nindent 2 }}
# The volumes of each pod; the first has the ConfigMap. Those of keys and of the socket are appended, in this order.
volumes:
  {{- include "faas-sidecar.part.volumes" . | nindent 2 }}
# With listen: port. The address is for the other containers.
port:
  address: {{ include "faas-sidecar.listening" (dict "own" .) | fromJsonArray | include "faas-sidecar.called" | quote }}
  env:
    {{- include "faas-sidecar.part.env" (dict "own" .) | nindent 4 }}
# With listen: socket. The mount is for every container.
socket:
  address: {{ include "faas-sidecar.listening" (dict "own" . "socket" true) | fromJsonArray | include "faas-sidecar.called" | quote }}
  env:
    {{- include "faas-sidecar.part.env" (dict "own" . "socket" true) | nindent 4 }}
  volumeMount:
    {{- include "faas-sidecar.part.socketMount" . | nindent 4 }}
  volume:
    {{- include "faas-sidecar.part.socket" . | nindent 4 }}
# With credentials. For each target the volume gets a source with the required files, in the order of their names, then for each with a key pair one
# with the optional file security-token; a file's path is <target>/<key>.
secrets:
  keyPair: [access-key-id, secret-access-key]
  iamPassword: [username, password, domain]
  optional: security-token
  volumeMount:
    {{- include "faas-sidecar.part.credentialsMount" . | nindent 4 }}
  volume:
    name: faas-sidecar-credentials
    projected:
      sources: []
{{- end }}

{{- define "faas-sidecar.template" -}}
{{- include "faas-sidecar.document" . | fromYaml | toJson }}
{{- end }}

{{- /* By target, its Secret, as the annotation credentials writes it, as JSON. */}}
{{- define "faas-sidecar.secrets" -}}
{{- $targets := include "faas-sidecar.targets" . | fromJson }}
{{- $secrets := dict }}
{{- range $name, $secret := .Values.credentials.existingSecrets }}
{{- $byPassword := eq (get $targets $name).credentials.source "iam_password" }}
{{- $_ := set $secrets $name (printf "%s%s" ($byPassword | ternary "iam_password:" "") $secret) }}
{{- end }}
{{- toJson $secrets }}
{{- end }}

{{- /*
The container. own is the chart's context; the rest is what differs: native, env before extraEnv and logLevel after it, mounts after those of extraVolumeMounts,
resources in place of the values', and more, further fields.
*/}}
{{- define "faas-sidecar.part.container" -}}
{{- $values := .own.Values -}}
name: faas-sidecar
image: {{ include "faas-sidecar.image" .own | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
command: [{{ $values.image.binary | quote }}]
args: ["serve", "--config", "/etc/faas-sidecar/faas.yaml"]
{{- if .native }}
restartPolicy: Always
{{- end }}
{{- $env := concat (.env | default list) $values.extraEnv }}
{{- with .logLevel }}
{{- $env = append $env (dict "name" "FAAS_SIDECAR_LOG_LEVEL" "value" .) }}
{{- end }}
env: {{- empty $env | ternary " []" (toYaml $env | nindent 2) }}
{{- with .more }}
{{ toYaml . }}
{{- end }}
{{- range list "startupProbe" "readinessProbe" "livenessProbe" }}
{{ . }}:
  exec:
    command: [{{ $values.image.binary | quote }}, "probe"]
  {{- toYaml (index $values .) | nindent 2 }}
{{- end }}
{{- with .resources | default $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
volumeMounts:
  - name: faas-sidecar-config
    mountPath: /etc/faas-sidecar
    readOnly: true
  {{- with concat $values.extraVolumeMounts (.mounts | default list) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* The port of metrics and probes, when others than the pod can reach it, as fields of the container. */}}
{{- define "faas-sidecar.part.ports" -}}
{{- $metrics := dig "metrics" "listen" "off" .Values.config }}
{{- if and (ne $metrics "off") (not (hasPrefix "127." $metrics)) (not (hasPrefix "[::1]" $metrics)) -}}
ports:
  - name: faas-metrics
    containerPort: {{ regexFind "[0-9]+$" $metrics }}
{{- end }}
{{- end }}

{{- /* Where the sidecar listens and is called: its own environment. It wins over the configuration's listen, so that another ConfigMap cannot miss it. */}}
{{- define "faas-sidecar.part.env" -}}
{{- $listen := include "faas-sidecar.listening" . | fromJsonArray -}}
- name: FAAS_SIDECAR_ADDRESS
  value: {{ include "faas-sidecar.called" $listen | quote }}
- name: FAAS_SIDECAR_LISTEN
  value: {{ join "," $listen | quote }}
{{- if .socket }}
{{- /* The directory belongs to the pod alone, so its containers need no common group. */}}
- name: FAAS_SIDECAR_UNIX_SOCKET_MODE
  value: {{ dig "unix_socket" "mode" "0666" .own.Values.config | quote }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.part.volumes" -}}
- name: faas-sidecar-config
  configMap:
    name: {{ include "faas-sidecar.fullname" . }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.part.credentialsMount" -}}
name: faas-sidecar-credentials
mountPath: /var/run/secrets/faas-sidecar
readOnly: true
{{- end }}

{{- /* The volume of keys of the context own; with optional: true a pod starts without them too. */}}
{{- define "faas-sidecar.part.credentials" -}}
{{- $optional := .optional | default false }}
{{- $secrets := include "faas-sidecar.secrets" .own | fromJson -}}
name: faas-sidecar-credentials
projected:
  sources:
    {{- range $target, $secret := $secrets }}
    {{- $keys := hasPrefix "iam_password:" $secret | ternary (list "username" "password" "domain") (list "access-key-id" "secret-access-key") }}
    - secret:
        name: {{ trimPrefix "iam_password:" $secret }}
        {{- if $optional }}
        optional: true
        {{- end }}
        items:
          {{- range $keys }}
          - key: {{ . }}
            path: {{ $target }}/{{ . }}
          {{- end }}
    {{- end }}
    {{- range $target, $secret := $secrets }}
    {{- if not (hasPrefix "iam_password:" $secret) }}
    - secret:
        name: {{ $secret }}
        optional: true
        items:
          - key: security-token
            path: {{ $target }}/security-token
    {{- end }}
    {{- end }}
{{- end }}

{{- define "faas-sidecar.part.socketMount" -}}
name: faas-sidecar-socket
mountPath: /run/faas-sidecar
{{- end }}

{{- define "faas-sidecar.part.socket" -}}
name: faas-sidecar-socket
emptyDir:
  medium: Memory
  sizeLimit: 1Mi
{{- end }}
