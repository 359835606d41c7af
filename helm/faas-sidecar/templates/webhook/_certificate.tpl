{{- /*
The webhook's certificate, when Helm makes it, as JSON: certificate, key, authorities and renewAfter, all base64 but the last, which is a time in seconds.
An upgrade keeps what is in the Secret until then. A new one comes with the authority of the one before it, so that both are trusted while pods change over.
*/}}
{{- define "faas-sidecar.webhook.certificate" -}}
{{- $name := include "faas-sidecar.named" (dict "own" . "suffix" "injector") }}
{{- $times := .Values.injection.webhook.certificates }}
{{- if ge (int $times.renewBeforeDays) (int $times.validityDays) }}
{{- fail "faas-sidecar: injection.webhook.certificates: renewBeforeDays must be less than validityDays" }}
{{- end }}
{{- $old := lookup "v1" "Secret" .Release.Namespace (printf "%s-tls" $name) | default dict }}
{{- $data := $old.data | default dict }}
{{- $renewAfter := dig "metadata" "annotations" "faas-sidecar.io/renew-after" "0" $old }}
{{- if and (gt (int64 $renewAfter) (now | unixEpoch | int64)) (get $data "tls.crt") (get $data "tls.key") (get $data "ca.crt") }}
{{- dict "certificate" (get $data "tls.crt") "key" (get $data "tls.key") "authorities" (get $data "ca.crt") "renewAfter" $renewAfter | toJson }}
{{- else }}
{{- $authority := genCAWithKey (printf "%s-authority" $name) (int $times.validityDays) (genPrivateKey "ecdsa") }}
{{- $host := printf "%s.%s.svc" $name .Release.Namespace }}
{{- $made := genSignedCertWithKey $host (list) (list $host (printf "%s.cluster.local" $host)) (int $times.validityDays) $authority (genPrivateKey "ecdsa") }}
{{- $keepHours := mul 24 (sub (int $times.validityDays) (int $times.renewBeforeDays)) }}
{{- $renewAfter = now | mustDateModify (printf "+%dh" $keepHours) | unixEpoch }}
{{- $authorities := printf "%s%s" $authority.Cert (get $data "ca.crt" | b64dec) | b64enc }}
{{- dict "certificate" (b64enc $made.Cert) "key" (b64enc $made.Key) "authorities" $authorities "renewAfter" $renewAfter | toJson }}
{{- end }}
{{- end }}
