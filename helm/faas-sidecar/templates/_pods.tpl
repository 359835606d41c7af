{{- /*
What the chart's own pods have in common: own is its context, component what the pod is, and place the values with its place in the cluster.

  faas-sidecar.pod.template  metadata of the pod, labels and annotations
  faas-sidecar.pod.spec      fields of its spec, all but containers and volumes
*/}}

{{- define "faas-sidecar.pod.template" -}}
labels:
  {{- include "faas-sidecar.labelsOf" . | nindent 2 }}
  {{- with .place.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .place.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.pod.spec" -}}
{{- $values := .own.Values -}}
serviceAccountName: {{ include "faas-sidecar.serviceAccount" .own }}
# None of these pods asks the Kubernetes API for anything.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  seccompProfile:
    {{- toYaml $values.securityContext.seccompProfile | nindent 4 }}
{{- with .place }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Replicas on as many nodes, and in as many zones, as there are. */}}
{{- define "faas-sidecar.pod.spread" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "faas-sidecar.selector" $ | nindent 8 }}
{{- end }}
{{- end }}

{{- /* What runs all the time has an account of its own; the test alone needs none. */}}
{{- define "faas-sidecar.serviceAccount" -}}
{{- $runs := or .Values.gateway.enabled (eq (include "faas-sidecar.injection" .) "webhook") }}
{{- if not .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default "default" }}
{{- else }}
{{- $runs | ternary (.Values.serviceAccount.name | default (include "faas-sidecar.fullname" .)) "default" }}
{{- end }}
{{- end }}
