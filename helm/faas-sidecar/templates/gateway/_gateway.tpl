{{- /*
The gateway: the sidecar's container behind a Service. Its environment wins over the configuration's listen, tls and auth, so that both live from one
configuration. It listens at a Unix socket too, for its probes alone: what asks callers for certificates or tokens asks nothing there.

  faas-sidecar.gateway.callers    how callers are told, as a list of tls, clients, token
  faas-sidecar.gateway.env        its environment
  faas-sidecar.gateway.secrets    the sources of the volume with certificate, authority of callers, and tokens
  faas-sidecar.gateway.tlsSecret  the Secret with its certificate
*/}}

{{- define "faas-sidecar.gateway.callers" -}}
{{- with .Values.gateway }}
{{- if and .tls.existingSecret .tls.certManager.enabled }}
{{- fail "faas-sidecar: gateway.tls: existingSecret and certManager.enabled are both set; leave one out" }}
{{- end }}
{{- if and .tls.certManager.enabled (not .tls.certManager.issuerRef) }}
{{- fail "faas-sidecar: gateway.tls.certManager.issuerRef: name the issuer, such as {kind: ClusterIssuer, name: internal}" }}
{{- end }}
{{- $callers := list }}
{{- if or .tls.existingSecret .tls.certManager.enabled }}
{{- $callers = append $callers "tls" }}
{{- if .tls.clients }}
{{- $callers = append $callers "clients" }}
{{- end }}
{{- end }}
{{- if .token.existingSecret }}
{{- $callers = append $callers "token" }}
{{- end }}
{{- $known := or (has "clients" $callers) (has "token" $callers) }}
{{- if and .allowOpen $known }}
{{- fail "faas-sidecar: gateway.allowOpen is true, yet callers are asked for a certificate or token; leave one of both out" }}
{{- end }}
{{- if not (or .allowOpen $known) }}
{{- fail "faas-sidecar: gateway: nothing says who may call. Set gateway.tls (existingSecret or certManager) for certificates, or gateway.token.existingSecret; gateway.allowOpen: true lets whoever reaches it run functions with this account's keys" }}
{{- end }}
{{- toJson $callers }}
{{- end }}
{{- end }}

{{- define "faas-sidecar.gateway.tlsSecret" -}}
{{- $made := printf "%s-tls" (include "faas-sidecar.named" (dict "own" . "suffix" "gateway")) }}
{{- .Values.gateway.tls.existingSecret | default $made }}
{{- end }}

{{- define "faas-sidecar.gateway.env" -}}
{{- $callers := include "faas-sidecar.gateway.callers" . | fromJsonArray }}
{{- $files := "/var/run/secrets/faas-sidecar-gateway" -}}
- name: FAAS_SIDECAR_ADDRESS
  value: unix:/run/faas-sidecar/faas.sock
- name: FAAS_SIDECAR_LISTEN
  value: unix:/run/faas-sidecar/faas.sock,{{ .Values.gateway.listen }}
{{- if has "tls" $callers }}
- name: FAAS_SIDECAR_TLS_CERT_FILE
  value: {{ $files }}/tls.crt
- name: FAAS_SIDECAR_TLS_KEY_FILE
  value: {{ $files }}/tls.key
{{- end }}
{{- if has "clients" $callers }}
- name: FAAS_SIDECAR_TLS_CLIENT_CA_FILE
  value: {{ $files }}/ca.crt
{{- end }}
{{- if has "token" $callers }}
- name: FAAS_SIDECAR_AUTH_TOKEN_FILE
  value: {{ $files }}/tokens
{{- end }}
- name: FAAS_SIDECAR_ALLOW_REMOTE_CLIENTS
  value: {{ .Values.gateway.allowOpen | quote }}
{{- end }}

{{- define "faas-sidecar.gateway.secrets" -}}
{{- $callers := include "faas-sidecar.gateway.callers" . | fromJsonArray }}
{{- with .Values.gateway }}
{{- if has "tls" $callers }}
- secret:
    name: {{ include "faas-sidecar.gateway.tlsSecret" $ }}
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- end }}
{{- if has "clients" $callers }}
- secret:
    name: {{ .tls.clientAuthoritySecret | default (include "faas-sidecar.gateway.tlsSecret" $) }}
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- if has "token" $callers }}
- secret:
    name: {{ .token.existingSecret }}
    items:
      - {key: {{ .token.key }}, path: tokens}
{{- end }}
{{- end }}
{{- end }}
