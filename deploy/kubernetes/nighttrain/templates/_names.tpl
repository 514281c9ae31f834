{{- define "nighttrain.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "nighttrain.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "nighttrain.selector" . }}
{{- end -}}

{{- define "nighttrain.selector" -}}
app.kubernetes.io/name: nighttrain
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "nighttrain.tokens" -}}
{{- .Values.tokens.existingSecret | default (printf "%s-tokens" (include "nighttrain.name" .)) -}}
{{- end -}}

{{- define "nighttrain.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}

{{- define "nighttrain.url" -}}
{{- .Values.coordinator.externalUrl | trimSuffix "/" | default (printf "http://%s-coordinator.%s:5000" (include "nighttrain.name" .) .Release.Namespace) -}}
{{- end -}}

{{- define "nighttrain.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "nighttrain.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Credentials of an object store, as the environment that the SDKs know (AWS_ACCESS_KEY_ID ...): from a Secret alone. */}}
{{- define "nighttrain.objectStore" -}}
{{- with .Values.objectStore.existingSecret -}}
envFrom: [{secretRef: {name: {{ . }}}}]
{{- end -}}
{{- end -}}

{{/* What a command in a pod has to be told where several coordinators share the folder. */}}
{{- define "nighttrain.asked" -}}
{{- if gt (int .Values.coordinator.replicas) 1 }} --url http://127.0.0.1:5000 --token-file /run/secrets/nighttrain_token{{ end -}}
{{- end -}}
