{{- /*
The sidecar for any pod. A chart that depends on this one includes these templates with its own context "."; under an alias, or from further
above, it passes the context of this chart: (index .Subcharts "alias").

  faas-sidecar.container     the container: one item of initContainers, or of containers with nativeSidecar=false
  faas-sidecar.volumes       items of the pod's volumes
  faas-sidecar.env           items of env of the application's containers: FAAS_SIDECAR_ADDRESS
  faas-sidecar.volumeMounts  items of volumeMounts of the application's containers; empty unless socket.enabled
  faas-sidecar.annotations   annotations of the pod, so that a new configuration starts new pods
*/}}

{{- define "faas-sidecar.container" -}}
{{- include "faas-sidecar.own" (dict "context" . "template" "faas-sidecar.own.container") }}
{{- end }}

{{- define "faas-sidecar.volumes" -}}
{{- include "faas-sidecar.own" (dict "context" . "template" "faas-sidecar.own.volumes") }}
{{- end }}

{{- define "faas-sidecar.env" -}}
{{- include "faas-sidecar.own" (dict "context" . "template" "faas-sidecar.own.env") }}
{{- end }}

{{- define "faas-sidecar.volumeMounts" -}}
{{- include "faas-sidecar.own" (dict "context" . "template" "faas-sidecar.own.volumeMounts") }}
{{- end }}

{{- define "faas-sidecar.annotations" -}}
{{- include "faas-sidecar.own" (dict "context" . "template" "faas-sidecar.own.annotations") }}
{{- end }}

{{- /* A template with this chart's context, found below the one given. */}}
{{- define "faas-sidecar.own" -}}
{{- $own := index (.context.Subcharts | default dict) "faas-sidecar" | default .context }}
{{- if not (hasKey $own.Values "nativeSidecar") }}
{{- fail "faas-sidecar: no dependency of that name here; under an alias pass its context: (index .Subcharts \"alias\")" }}
{{- end }}
{{- include .template $own }}
{{- end }}

{{- define "faas-sidecar.own.container" -}}
- name: faas-sidecar
  image: {{ include "faas-sidecar.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [{{ .Values.image.binary | quote }}]
  args: ["serve", "--config", "/etc/faas-sidecar/faas.yaml"]
  {{- if .Values.nativeSidecar }}
  restartPolicy: Always
  {{- end }}
  env:
    {{- include "faas-sidecar.own.env" . | nindent 4 }}
    {{- with .Values.logLevel }}
    - name: FAAS_SIDECAR_LOG_LEVEL
      value: {{ . | quote }}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- range list "startupProbe" "readinessProbe" "livenessProbe" }}
  {{ . }}:
    exec:
      command: [{{ $.Values.image.binary | quote }}, "probe"]
    {{- toYaml (index $.Values .) | nindent 4 }}
  {{- end }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: faas-sidecar-config
      mountPath: /etc/faas-sidecar
      readOnly: true
    {{- if .Values.credentials.existingSecrets }}
    - name: faas-sidecar-credentials
      mountPath: /var/run/secrets/faas-sidecar
      readOnly: true
    {{- end }}
    {{- with include "faas-sidecar.own.volumeMounts" . }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "faas-sidecar.own.volumes" -}}
- name: faas-sidecar-config
  configMap:
    name: {{ include "faas-sidecar.fullname" . }}
{{- if .Values.credentials.existingSecrets }}
{{- $targets := include "faas-sidecar.targets" . | fromJson }}
- name: faas-sidecar-credentials
  projected:
    sources:
      {{- range $name, $secret := .Values.credentials.existingSecrets }}
      {{- $byPassword := eq (get $targets $name).credentials.source "iam_password" }}
      - secret:
          name: {{ $secret }}
          items:
            {{- range $byPassword | ternary (list "username" "password" "domain") (list "access-key-id" "secret-access-key") }}
            - key: {{ . }}
              path: {{ $name }}/{{ . }}
            {{- end }}
      {{- if not $byPassword }}
      - secret:
          name: {{ $secret }}
          optional: true
          items:
            - key: security-token
              path: {{ $name }}/security-token
      {{- end }}
      {{- end }}
{{- end }}
{{- if .Values.socket.enabled }}
- name: faas-sidecar-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.own.env" -}}
- name: FAAS_SIDECAR_ADDRESS
  value: {{ include "faas-sidecar.address" . | quote }}
{{- end }}

{{- define "faas-sidecar.own.volumeMounts" -}}
{{- if .Values.socket.enabled -}}
- name: faas-sidecar-socket
  mountPath: /run/faas-sidecar
{{- end }}
{{- end }}

{{- define "faas-sidecar.own.annotations" -}}
checksum/faas-sidecar-config: {{ include "faas-sidecar.config" . | sha256sum }}
{{- end }}
