{{- /*
Injection in CEL, for templates/policy.yaml: what a pod's annotations may say, and the patch that makes the pod of the document "faas-sidecar.template".

  faas-sidecar.cel               any value as a CEL literal
  faas-sidecar.policy.match      which pods the policies are for
  faas-sidecar.policy.metadata   the name and labels of the policies and their bindings
  faas-sidecar.policy.binding    where a policy holds
  faas-sidecar.policy.wishes     the annotations, as variables of the policies
  faas-sidecar.policy.rules      what must hold for them: a JSON array of {holds, says}, both CEL
  faas-sidecar.policy.sidecar    the container
  faas-sidecar.policy.sources    the sources of the volume of keys
  faas-sidecar.policy.each       the patches of the pod's own containers
*/}}

{{- /* CEL wants the items of a list or map to be of one type; dyn() makes them so where JSON does not. */}}
{{- define "faas-sidecar.cel" -}}
{{- $kinds := list }}
{{- if or (kindIs "map" .) (kindIs "slice" .) }}
{{- range . }}{{ $kinds = append $kinds (kindOf .) }}{{ end }}
{{- end }}
{{- $kinds = uniq $kinds }}
{{- $item := or (gt (len $kinds) 1) (has "map" $kinds) (has "slice" $kinds) | ternary "dyn(%s)" "%s" }}
{{- $items := list }}
{{- if kindIs "map" . }}
{{- range $key, $value := . }}
{{- $items = append $items (printf "%s: %s" (toJson $key) (include "faas-sidecar.cel" $value | printf $item)) }}
{{- end }}
{{- printf "{%s}" (join ", " $items) }}
{{- else if kindIs "slice" . }}
{{- range . }}
{{- $items = append $items (include "faas-sidecar.cel" . | printf $item) }}
{{- end }}
{{- printf "[%s]" (join ", " $items) }}
{{- else }}
{{- toJson . }}
{{- end }}
{{- end }}

{{- /* Pods that ask and have no sidecar; every other pod is left alone, also by a policy that is broken. */}}
{{- define "faas-sidecar.policy.match" -}}
failurePolicy: Fail
matchConstraints:
  resourceRules:
    - apiGroups: [""]
      apiVersions: [v1]
      operations: [CREATE]
      resources: [pods]
matchConditions:
  - name: asks
    expression: >-
      {{ include "faas-sidecar.asks" . }}
  - name: has-none-yet
    expression: >-
      !(object.spec.containers + object.spec.?initContainers.orValue([])).exists(container, container.name == {{ include "faas-sidecar.policy.name" . }})
{{- end }}

{{- /* The name of the container, by which a sidecar is known. */}}
{{- define "faas-sidecar.policy.name" -}}
{{- (include "faas-sidecar.template" . | fromJson).container.name | toJson }}
{{- end }}

{{- define "faas-sidecar.policy.binding" -}}
apiVersion: admissionregistration.k8s.io/{{ .version }}
kind: {{ .kind }}Binding
{{ include "faas-sidecar.policy.metadata" .own }}
spec:
  policyName: {{ include "faas-sidecar.named" (dict "own" .own "suffix" "injection") }}
  matchResources:
    namespaceSelector:
      {{- include "faas-sidecar.namespaceSelector" .own | nindent 6 }}
{{- end }}

{{- define "faas-sidecar.policy.metadata" -}}
metadata:
  name: {{ include "faas-sidecar.named" (dict "own" . "suffix" "injection") }}
  labels:
    {{- include "faas-sidecar.labelsOf" (dict "own" . "component" "injector") | nindent 4 }}
{{- end }}

{{- /* The annotations of ours, without their prefix, and the names that are known. */}}
{{- define "faas-sidecar.policy.wishes" -}}
- name: wishes
  expression: >-
    object.metadata.annotations.transformMapEntry(key, value, key.startsWith("faas-sidecar.io/"), {key.substring(16): string(value)})
{{- $known := list }}
{{- range include "faas-sidecar.policy.annotations" . | fromYamlArray }}
{{- $known = append $known .name }}
{{- end }}
- name: known
  expression: >-
    {{ toJson $known }}
{{- end }}

{{- /* What holds for each annotation's value, and what to say otherwise, with the value for {}. The webhook has the same rules and words. */}}
{{- define "faas-sidecar.policy.annotations" -}}
{{- $object := "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*" }}
- name: inject
  holds: value in ["true", "false"]
  otherwise: is {}; write "true" for a sidecar or "false" for none, in quotation marks
- name: config
  holds: value.size() <= 253 && value.matches("^{{ $object }}$")
  otherwise: >-
    {} is no ConfigMap's name; write a name of lower-case letters, digits, - and . that begins and ends with a letter or digit
- name: credentials
  holds: >-
    value == "" || value.split(",").size() <= 256 && value.split(",").all(item, item.size() <= 330 && item.matches("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}=(iam_password:)?{{ $object }}$"))
    && [value.split(",").map(item, item.split("=")[0])].all(targets, targets.all(target, targets.exists_one(other, other == target)))
  otherwise: >-
    {} is not target=secret; write such as prod=faas-keys or huawei=iam_password:faas-user, with commas between several, each target once, at most 256
- name: version
  holds: value.matches("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
  otherwise: >-
    {} is no image tag; write an image tag such as 1.2.3: letters, digits, _, . and -, at most 128, not beginning with . or -
- name: listen
  holds: value in ["port", "socket"]
  otherwise: is {}; write one of port, socket
- name: log-level
  holds: value in ["error", "warn", "info", "debug", "trace"]
  otherwise: is {}; write one of error, warn, info, debug, trace
{{- range list "cpu-request" "cpu-limit" }}
- name: {{ . }}
  holds: value.matches("^[0-9]{1,6}(m|\\.[0-9]{1,3})?$")
  otherwise: is {}; write CPUs such as 250m or 0.25, in whole thousandths
{{- end }}
{{- range list "memory-request" "memory-limit" }}
- name: {{ . }}
  holds: value.matches("^[0-9]{1,12}((\\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti))?$")
  otherwise: is {}; write bytes such as 64Mi, 1.5Gi or 100M
{{- end }}
- name: native
  holds: value in ["true", "false"]
  otherwise: is {}; write one of true, false
{{- end }}

{{- define "faas-sidecar.policy.rules" -}}
{{- $rules := list (dict
  "holds" `variables.wishes.all(name, name in variables.known || name == "injected")`
  "says" `"faas-sidecar.io/" + variables.wishes.filter(name, !(name in variables.known) && name != "injected")[0]
          + ": is unknown; known after faas-sidecar.io/ are " + variables.known.join(", ")`
) }}
{{- range include "faas-sidecar.policy.annotations" . | fromYamlArray }}
{{- $shown := printf `\"" + variables.wishes[%q] + "\"` .name }}
{{- $rules = append $rules (dict
  "holds" (printf "variables.wishes[?%q].optMap(value, %s).orValue(true)" .name .holds)
  "says" (printf "faas-sidecar.io/%s: %s" .name .otherwise | toJson | replace "{}" $shown)
) }}
{{- end }}
{{- $resources := (include "faas-sidecar.template" . | fromJson).container.resources | default dict }}
{{- range list "cpu" "memory" }}
{{- $request := printf "variables.wishes[?%q].orValue(%q)" (printf "%s-request" .) (get ($resources.requests | default dict) . | default "0" | toString) }}
{{- $limit := printf "variables.wishes[?%q].orValue(%q)" (printf "%s-limit" .) (get ($resources.limits | default dict) . | default "" | toString) }}
{{- $rules = append $rules (dict
  "holds" (printf "!isQuantity(%s) || !isQuantity(%s) || quantity(%s).compareTo(quantity(%s)) <= 0" $request $limit $request $limit)
  "says" (printf `"faas-sidecar.io/%s-request: the request " + %s + " is more than the limit " + %s
          + "; set faas-sidecar.io/%s-request and faas-sidecar.io/%s-limit together"` . $request $limit . .)
) }}
{{- end }}
{{- toJson $rules }}
{{- end }}

{{- /* The container, with what depends on the pod put in its place. */}}
{{- define "faas-sidecar.policy.sidecar" -}}
{{- $template := include "faas-sidecar.template" . | fromJson }}
{{- $container := $template.container -}}
{
  {{- range $key, $value := omit $container "image" "restartPolicy" "env" "volumeMounts" "resources" }}
  {{ toJson $key }}: dyn({{ include "faas-sidecar.cel" $value }}),
  {{- end }}
  "image": dyn(variables.wishes[?"version"].optMap(tag, {{ printf "%s:" $template.image.repository | quote }} + tag)
    .orValue({{ include "faas-sidecar.image" . | quote }})),
  ?"restartPolicy": variables.native ? optional.of(dyn("Always")) : optional.none(),
  "env": dyn((variables.socket ? {{ include "faas-sidecar.cel" $template.socket.env }} : {{ include "faas-sidecar.cel" $template.port.env }})
    + {{ include "faas-sidecar.cel" ($container.env | default list) }}
    + (variables.logLevel == "" ? [] : [{"name": "FAAS_SIDECAR_LOG_LEVEL", "value": variables.logLevel}])),
  "volumeMounts": dyn({{ include "faas-sidecar.cel" $container.volumeMounts }}
    + (variables.credentials.size() == 0 ? [] : [{{ include "faas-sidecar.cel" $template.secrets.volumeMount }}])
    + (variables.socket ? [{{ include "faas-sidecar.cel" $template.socket.volumeMount }}] : [])),
  "resources": dyn({
    {{- range $part, $suffix := dict "requests" "request" "limits" "limit" }}
    {{- $amounts := get ($container.resources | default dict) $part | default dict }}
    {{ quote $part }}: {
      {{- range $resource := list "cpu" "memory" | concat (keys $amounts | sortAlpha) | uniq }}
      {{- $wish := printf "variables.wishes[?%s]" (printf "%s-%s" $resource $suffix | quote) }}
      {{- if hasKey $amounts $resource }}
      {{ quote $resource }}: dyn({{ $wish }}.orValue({{ get $amounts $resource | toString | quote }})),
      {{- else }}
      ?{{ quote $resource }}: {{ $wish }}.optMap(amount, dyn(amount)),
      {{- end }}
      {{- end }}
    },
    {{- end }}
  }),
}
{{- end }}

{{- /* For each target the required files, in the order of the targets' names, then for each with a key pair the optional one. */}}
{{- define "faas-sidecar.policy.sources" -}}
{{- $secrets := (include "faas-sidecar.template" . | fromJson).secrets -}}
variables.secrets.map(entry, {"secret": {
  "name": dyn(entry.secret),
  "items": dyn((entry.kind == "iam_password" ? {{ toJson $secrets.iamPassword }} : {{ toJson $secrets.keyPair }})
    .map(key, {"key": key, "path": entry.target + "/" + key})),
}})
+ variables.secrets.filter(entry, entry.kind != "iam_password").map(entry, {"secret": {
  "name": dyn(entry.secret),
  "optional": dyn(true),
  "items": dyn([{"key": {{ $secrets.optional | quote }}, "path": entry.target + {{ printf "/%s" $secrets.optional | quote }}}]),
}})
{{- end }}

{{- /* The address and the socket's mount for the containers of one list, unless they have them. */}}
{{- define "faas-sidecar.policy.each" -}}
{{- $template := include "faas-sidecar.template" .own | fromJson -}}
variables.{{ .list }}.transformList(index, container, !container.?env.orValue([]).exists(variable, variable.name == "FAAS_SIDECAR_ADDRESS"), JSONPatch{
  op: "add",
  path: "/spec/{{ .list }}/" + string(index) + (has(container.env) ? "/env/0" : "/env"),
  value: has(container.env) ? dyn(variables.address) : dyn([variables.address]),
})
+ variables.{{ .list }}.transformList(index, container, variables.socket, JSONPatch{
  op: "add",
  path: "/spec/{{ .list }}/" + string(index) + (has(container.volumeMounts) ? "/volumeMounts/-" : "/volumeMounts"),
  value: has(container.volumeMounts) ? dyn(variables.mount) : dyn([variables.mount]),
})
{{- end }}
