{{- /*
The sidecar for any pod. A chart that depends on this one includes these templates with its own context "."; under an alias, or from further
above, it passes the context of this chart: (index .Subcharts "alias").

The same parts make the document of which injection makes its pods, in _template.tpl.

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
{{- $env := include "faas-sidecar.part.env" (dict "own" . "socket" .Values.socket.enabled) | fromYamlArray }}
{{- $mounts := list }}
{{- if .Values.credentials.existingSecrets }}
{{- $mounts = append $mounts (include "faas-sidecar.part.credentialsMount" . | fromYaml) }}
{{- end }}
{{- if .Values.socket.enabled }}
{{- $mounts = append $mounts (include "faas-sidecar.part.socketMount" . | fromYaml) }}
{{- end }}
{{- $more := include "faas-sidecar.part.ports" . | fromYaml }}
{{- $container := dict "own" . "native" (include "faas-sidecar.native" .) "env" $env "logLevel" .Values.logLevel "mounts" $mounts "more" $more -}}
- {{ include "faas-sidecar.part.container" $container | nindent 2 | trim }}
{{- end }}

{{- define "faas-sidecar.own.volumes" -}}
{{- include "faas-sidecar.part.volumes" . }}
{{- if .Values.credentials.existingSecrets }}
- {{ include "faas-sidecar.part.credentials" (dict "own" .) | nindent 2 | trim }}
{{- end }}
{{- if .Values.socket.enabled }}
- {{ include "faas-sidecar.part.socket" . | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.own.env" -}}
- name: FAAS_SIDECAR_ADDRESS
  value: {{ include "faas-sidecar.address" . | quote }}
{{- end }}

{{- define "faas-sidecar.own.volumeMounts" -}}
{{- if .Values.socket.enabled -}}
- {{ include "faas-sidecar.part.socketMount" . | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.own.annotations" -}}
checksum/faas-sidecar-config: {{ include "faas-sidecar.config" . | sha256sum }}
{{- end }}
