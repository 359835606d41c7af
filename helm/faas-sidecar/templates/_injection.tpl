{{- /*
How injection is done.

  faas-sidecar.injection          policy, webhook or none
  faas-sidecar.policyVersion      the version of MutatingAdmissionPolicy that the cluster has, or v1
  faas-sidecar.asks               a CEL expression: whether the pod `object` asks. Any value but "false" does, so that a wrong one is refused, not ignored.
  faas-sidecar.namespaceSelector  the namespaces whose pods are looked at, as YAML
*/}}

{{- define "faas-sidecar.policyVersion" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
v1beta1
{{- else -}}
v1
{{- end }}
{{- end }}

{{- define "faas-sidecar.injection" -}}
{{- $mode := include "faas-sidecar.injection.wanted" . }}
{{- if and (eq $mode "webhook") (semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail (printf "faas-sidecar: injection: Kubernetes %s would ask the webhook about every pod; set injection.mode: none, and use the sidecar in your own chart or `faas-sidecar inject`" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- $mode }}
{{- end }}

{{- define "faas-sidecar.injection.wanted" -}}
{{- $has := false }}
{{- range list "v1" "v1beta1" }}
{{- $has = or $has ($.Capabilities.APIVersions.Has (printf "admissionregistration.k8s.io/%s/MutatingAdmissionPolicy" .)) }}
{{- end }}
{{- if ne .Values.injection.mode "auto" }}
{{- .Values.injection.mode }}
{{- else if not .Chart.IsRoot }}
{{- /* A chart that depends on this one includes the container itself. */ -}}
none
{{- else }}
{{- $has | ternary "policy" "webhook" }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.asks" -}}
has(object.metadata.annotations) && 'faas-sidecar.io/inject' in object.metadata.annotations && object.metadata.annotations['faas-sidecar.io/inject'] != 'false'
{{- end }}

{{- define "faas-sidecar.namespaceSelector" -}}
{{- $selector := deepCopy .Values.injection.namespaceSelector }}
{{- with .Values.injection.excludedNamespaces }}
{{- $excluded := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" . }}
{{- $_ := set $selector "matchExpressions" (append ($selector.matchExpressions | default list) $excluded) }}
{{- end }}
{{- toYaml $selector }}
{{- end }}
