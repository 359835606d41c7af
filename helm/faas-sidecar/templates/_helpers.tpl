{{- define "faas-sidecar.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "faas-sidecar.fullname" -}}
{{- $name := include "faas-sidecar.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The name of one more object of the context own. */}}
{{- define "faas-sidecar.named" -}}
{{- printf "%s-%s" (include "faas-sidecar.fullname" .own | trunc (int (sub 62 (len .suffix))) | trimSuffix "-") .suffix }}
{{- end }}

{{- define "faas-sidecar.labels" -}}
{{- include "faas-sidecar.labelsOf" (dict "own" . "component" "sidecar") }}
{{- end }}

{{- /* The recommended labels, for a component of the context own. */}}
{{- define "faas-sidecar.labelsOf" -}}
helm.sh/chart: {{ printf "%s-%s" .own.Chart.Name .own.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "faas-sidecar.selector" . }}
app.kubernetes.io/version: {{ .own.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: faas-sidecar
app.kubernetes.io/managed-by: {{ .own.Release.Service }}
{{- end }}

{{- /* Those of them by which pods are found, which never change. */}}
{{- define "faas-sidecar.selector" -}}
app.kubernetes.io/name: {{ include "faas-sidecar.name" .own }}
app.kubernetes.io/instance: {{ .own.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* Whether the sidecar is an init container: true, or empty. An older cluster would drop restartPolicy, and wait for the container to end. */}}
{{- define "faas-sidecar.native" -}}
{{- if .Values.nativeSidecar }}
{{- if semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "faas-sidecar: nativeSidecar: Kubernetes %s has no native sidecars; set nativeSidecar: false for an ordinary container" .Capabilities.KubeVersion.Version) }}
{{- end -}}
true
{{- end }}
{{- end }}

{{- define "faas-sidecar.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Where the sidecar listens, as a JSON array. */}}
{{- define "faas-sidecar.listen" -}}
{{- include "faas-sidecar.listening" (dict "own" . "socket" .Values.socket.enabled) }}
{{- end }}

{{- /* The same for the context own, with or without the socket. */}}
{{- define "faas-sidecar.listening" -}}
{{- $listen := .own.Values.config.listen | default list }}
{{- if kindIs "string" $listen }}
{{- $listen = list $listen }}
{{- end }}
{{- range $listen }}
{{- if hasPrefix "unix:" . }}
{{- fail (printf "faas-sidecar: config.listen: %s: for a Unix socket set socket.enabled, which makes a directory for it too" .) }}
{{- end }}
{{- end }}
{{- if .socket }}
{{- $listen = prepend $listen "unix:/run/faas-sidecar/faas.sock" }}
{{- end }}
{{- $listen | default (list "127.0.0.1:50051") | toJson }}
{{- end }}

{{- /* Where it is called from within the pod. */}}
{{- define "faas-sidecar.address" -}}
{{- include "faas-sidecar.listen" . | fromJsonArray | include "faas-sidecar.called" }}
{{- end }}

{{- /* The same for a list of where it listens. */}}
{{- define "faas-sidecar.called" -}}
{{- first . | replace "0.0.0.0:" "127.0.0.1:" | replace "[::]:" "[::1]:" }}
{{- end }}

{{- /* The targets, as JSON, with the credentials' directories filled in. */}}
{{- define "faas-sidecar.targets" -}}
{{- $targets := .Values.config.targets | default (dict "default" (dict "provider" "ncp")) | deepCopy }}
{{- range $name, $target := $targets }}
{{- /* A value 2.0 reaches templates as the number 2. */}}
{{- if and $target.api_version (not (kindIs "string" $target.api_version)) }}
{{- $_ := set $target "api_version" (printf "%.1f" (float64 $target.api_version)) }}
{{- end }}
{{- end }}
{{- range $name, $secret := .Values.credentials.existingSecrets }}
{{- $target := get $targets $name }}
{{- if not $target }}
{{- fail (printf "faas-sidecar: credentials.existingSecrets.%s: there is no target of that name in config.targets" $name) }}
{{- end }}
{{- $credentials := $target.credentials | default dict }}
{{- $source := $credentials.source | default "files" }}
{{- if not (has $source (list "files" "iam_password")) }}
{{- fail (printf "faas-sidecar: credentials.existingSecrets.%s: the target's credentials.source is %s; leave it out" $name $source) }}
{{- end }}
{{- if $credentials.directory }}
{{- fail (printf "faas-sidecar: credentials.existingSecrets.%s: the target's credentials.directory is set; leave it out" $name) }}
{{- end }}
{{- $directory := printf "/var/run/secrets/faas-sidecar/%s" $name }}
{{- $_ := set $target "credentials" (merge (dict "source" $source "directory" $directory) $credentials) }}
{{- end }}
{{- toJson $targets }}
{{- end }}

{{- define "faas-sidecar.config" -}}
{{- $targets := include "faas-sidecar.targets" . | fromJson }}
{{- $listen := include "faas-sidecar.listen" . | fromJsonArray }}
{{- merge (dict "targets" $targets "listen" $listen) (omit .Values.config "targets" "listen") | toYaml }}
{{- end }}
